"""An upload that is killed or disturbed at any request reaches the same end, and sends nothing twice."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from reconciler import s3multipart, s3store
from reconciler.dataset import DatasetManifest, manifest
from reconciler.errors import DatasetError
from reconciler.objectstore import is_complete, marker_key
from reconciler.room import Room
from reconciler.s3store import S3Store
from reconciler.upload import UploadProgress, upload
from tests.reconciler.fake import FakeClock, KilledError

MIB = 1 << 20
PART = 1 << 16
PREFIX = "meters/0123456789ab"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = pytest.importorskip("moto.server", reason="needs moto: pip install 'corespec[dev]'")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Far less than a real S3 allows, so that two parts are little work."""
    monkeypatch.setattr(s3multipart, "PART", PART)
    monkeypatch.setattr(s3store, "PART", PART)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)


@pytest.fixture
def data(tmp_path: Path) -> DatasetManifest:
    """Two small files and one of two parts."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_bytes(b"a")
    (tmp_path / "data" / "b b").write_bytes(b"b")
    (tmp_path / "data" / "large").write_bytes(bytes(range(256)) * 256 + b"the second part")
    return manifest(tmp_path / "data")


@dataclass
class Wire:
    """Stands between boto3 and the network: counts requests and disturbs one of them."""

    at: int = 0  #: number of the request to disturb, from 1; 0: none
    acted: bool = False  #: whether the server does its work all the same
    error: Callable[[], BaseException] = KilledError
    seen: int = 0
    bodies: list[str] = field(default_factory=list)  #: URLs to which bytes of a file went and arrived

    def disturb(self, at: int, acted: bool) -> None:
        """Disturb that request from now on."""
        self.at, self.acted, self.seen = at, acted, 0
        self.bodies.clear()

    def send(self, request: Any, original: Callable[..., Any]) -> Any:
        self.seen += 1
        disturbed = self.seen == self.at
        if disturbed and not self.acted:
            raise self.error()
        answer = original(request)
        is_data = request.method == "PUT" and "/meters/" in request.url and "manifest.json" not in request.url
        if is_data and answer.status_code == 200:  # 412: it was there, and is not written over
            self.bodies.append(request.url)
        if disturbed:
            raise self.error()
        return answer


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    state, original = Wire(), URLLib3Session.send
    monkeypatch.setattr(
        URLLib3Session, "send", lambda self, request: state.send(request, lambda r: original(self, r))
    )
    return state


def _store(endpoint: str, name: str, clock: FakeClock | None = None) -> S3Store:
    store = S3Store(name, endpoint=endpoint, access_key_id="x", secret_access_key="y", clock=clock)
    store.workers = 1  # one request after the other: the n-th is always the same one
    return store


def _bucket(endpoint: str) -> str:
    name = f"corespec-{uuid.uuid4().hex[:12]}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="x", aws_secret_access_key="y", region_name="us-east-1"
    )
    client.create_bucket(Bucket=name)
    return name


def _check(store: S3Store, data: DatasetManifest, prefix: str = PREFIX) -> None:
    """Everything is there with the right bytes, and nothing unfinished costs money."""
    assert is_complete(store, prefix, data.fingerprint)
    for file in data.files:
        content = store.read(f"{prefix}/{file.path}")
        assert content is not None
        assert hashlib.sha256(content).hexdigest() == file.sha256
    assert not store.bucket.client.list_multipart_uploads(Bucket=store.bucket.name).get("Uploads")


@pytest.mark.parametrize("acted", [False, True])
def test_killed_at_any_request(endpoint: str, data: DatasetManifest, wire: Wire, acted: bool) -> None:
    """Before the server acted or after: the next run ends whole, and no file or part arrives twice."""
    store = _store(endpoint, _bucket(endpoint))
    for number in itertools.count(1):
        prefix = f"meters/{number:012}"
        wire.disturb(number, acted)
        try:
            upload(store, prefix, data, clock=FakeClock())
        except KilledError:
            wire.at = 0
        else:
            break
        marked = store.read(marker_key(prefix)) is not None
        assert is_complete(store, prefix, data.fingerprint) == marked
        upload(store, prefix, data, clock=FakeClock())
        _check(store, data, prefix)
        assert len(wire.bodies) == len({url.partition("&uploadId")[0] for url in wire.bodies}) == 4, number
    assert number > 10


@pytest.mark.parametrize("acted", [False, True])
def test_a_connection_that_breaks_at_any_request(
    endpoint: str, data: DatasetManifest, wire: Wire, acted: bool
) -> None:
    """One run gets through, on our own clock; whether the server had acted is found out by looking."""
    wire.error = lambda: ConnectionClosedError(endpoint_url="x")
    clock = FakeClock()
    store = _store(endpoint, _bucket(endpoint), clock)
    for number in range(1, 12):
        prefix = f"meters/{number:012}"
        wire.disturb(number, acted)
        upload(store, prefix, data, clock=FakeClock())
        assert clock.slept == [0.5] * number
        _check(store, data, prefix)


@dataclass
class Late:
    """Holds the first request that `pattern` finds, kills its sender, delivers it in the next attempt."""

    pattern: str = ""
    lands_at: int = 0  #: number of the next attempt's request before which it lands, from 1
    killed_at: int = 0  #: number of the next attempt's request at which that is killed too
    held: Any = None
    _seen: int = 0
    _killed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def attempt(self) -> None:
        """What is sent from now on comes from a new process."""
        self._seen, self._killed = 0, False

    def send(self, request: Any, original: Callable[..., Any]) -> Any:
        with self._lock:
            if self._killed:  # its other threads are dead, too
                raise KilledError
            if self.pattern:
                if re.search(self.pattern, f"{request.method} {request.url}"):
                    self.pattern, self.held, self._killed = "", request, True
                    raise KilledError
                return original(request)
            self._seen += 1
            if self.held and self._seen == self.lands_at:
                original(self.held)
                self.held = None
            if self._seen == self.killed_at:
                self._killed = True
                raise KilledError
            return original(request)


@pytest.mark.parametrize(
    "pattern",
    [r"^POST .*\?uploads", r"^PUT .*partNumber=1&", r"^PUT .*partNumber=2&", r"^POST .*\?uploadId="],
    ids=["create", "first part", "second part", "complete"],
)
def test_a_request_of_a_killed_attempt_lands_in_the_next(
    endpoint: str, data: DatasetManifest, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    """Whenever it lands, wherever the next attempt is killed too: whole in the end, no byte sent twice."""
    original, late, store = URLLib3Session.send, Late(), _store(endpoint, _bucket(endpoint))
    monkeypatch.setattr(
        URLLib3Session, "send", lambda self, request: late.send(request, lambda r: original(self, r))
    )
    monkeypatch.setattr("reconciler.upload.REPORT_SECONDS", 0.0)

    def attempt(prefix: str) -> int:
        """Bytes that were said to have been sent."""
        reports = list[UploadProgress]()
        late.attempt()
        with contextlib.suppress(KilledError):
            upload(store, prefix, data, reports.append, clock=FakeClock())
        return reports[-1].sent_bytes if reports else 0

    for lands_at in range(1, 9):
        for killed_at in range(lands_at, 12):
            prefix = f"meters/{lands_at:06}{killed_at:06}"
            late.pattern, late.lands_at, late.killed_at = pattern, lands_at, killed_at
            sent = attempt(prefix)
            assert late.held is not None
            sent += attempt(prefix)
            assert late.held is None
            late.killed_at = 0
            assert sent + attempt(prefix) <= data.bytes, prefix
            assert is_complete(store, prefix, data.fingerprint)
            assert store.stored(prefix, data.files) == {file.path for file in data.files}
            client, name = store.bucket.client, store.bucket.name
            if not pattern.endswith("uploads"):  # an upload that begins after the last look stays unfinished
                assert not client.list_multipart_uploads(Bucket=name).get("Uploads"), prefix


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
        lambda path: path.write_bytes(b"?" + path.read_bytes()[1:]),
        lambda path: path.unlink(),
    ],
    ids=["shorter", "longer", "other", "gone"],
)
def test_a_large_file_that_changed(
    endpoint: str, data: DatasetManifest, spoil: Callable[[Path], None]
) -> None:
    """It never appears under the old fingerprint, nothing unfinished stays, no memory stays taken."""
    store = _store(endpoint, _bucket(endpoint))
    spoil(data.source / "large")
    with pytest.raises(DatasetError, match="changed while"):
        upload(store, PREFIX, data, clock=FakeClock())
    assert store.read(f"{PREFIX}/large") is None
    assert not is_complete(store, PREFIX, data.fingerprint)
    uploads = store.bucket.client.list_multipart_uploads(Bucket=store.bucket.name).get("Uploads", [])
    assert len(uploads) == (1 if not (data.source / "large").exists() else 0)
    assert store._room._free == store._room._size


def test_a_damaged_part_is_sent_again(endpoint: str, data: DatasetManifest, wire: Wire) -> None:
    """A listed part counts by content, not by number."""
    store = _store(endpoint, _bucket(endpoint))
    client, name = store.bucket.client, store.bucket.name
    key = f"{PREFIX}/large"
    begun = client.create_multipart_upload(Bucket=name, Key=key, Metadata={"sha256": data.files[2].sha256})
    client.upload_part(Bucket=name, Key=key, UploadId=begun["UploadId"], PartNumber=1, Body=b"?" * PART)
    upload(store, PREFIX, data, clock=FakeClock())
    _check(store, data)


def test_an_older_unfinished_upload_is_given_up(endpoint: str, data: DatasetManifest) -> None:
    """Two begun uploads of one key: the later one goes on, the other one stops costing money."""
    store = _store(endpoint, _bucket(endpoint))
    for _ in range(2):
        store.bucket.client.create_multipart_upload(
            Bucket=store.bucket.name, Key=f"{PREFIX}/large", Metadata={"sha256": data.files[2].sha256}
        )
    upload(store, PREFIX, data, clock=FakeClock())
    _check(store, data)


def test_part_sizes() -> None:
    """S3 takes 10,000 parts: larger files have larger parts, whole MiB, the same at every attempt."""
    assert s3multipart.part_size(6 * MIB) == PART
    for size in (50_000 * MIB, 50_001 * MIB, 5 << 40):
        part = s3multipart.part_size(size)
        assert part % MIB == 0
        assert -(-size // part) <= 10_000


def test_progress_has_a_rate_and_an_end(tmp_path: Path) -> None:
    """Over the last seconds, of the bytes that travel; the first report knows none."""

    class Slow:
        """A store that takes one second a file."""

        workers = 1

        def stored(self, prefix: str, files: object) -> frozenset[str]:
            return frozenset({"0"})

        def put(self, prefix: str, source: Path, file: Any, arrived: Any) -> None:
            clock.sleep(1.0)
            arrived(file.size, sent=True)

        def read(self, key: str) -> bytes | None:
            return None

        def write(self, key: str, content: bytes) -> None:
            """Nothing to keep."""

    for index in range(5):
        (tmp_path / str(index)).write_bytes(b"x" * 1000)
    clock, seen = FakeClock(), list[UploadProgress]()
    upload(Slow(), PREFIX, manifest(tmp_path), seen.append, clock=clock)
    assert (seen[0].rate, seen[0].eta_seconds, seen[0].bytes_done) == (None, None, 1000)
    middle = next(state for state in seen if state.bytes_done == 3000)
    assert middle.rate == pytest.approx(1000.0)
    assert middle.eta_seconds == pytest.approx(2.0)
    assert (seen[-1].files_done, seen[-1].sent_bytes, seen[-1].eta_seconds) == (5, 4000, 0.0)


def test_room_is_for_one_that_is_too_large_when_it_is_alone() -> None:
    """A file larger than the limit does not wait for ever."""
    room = Room(10)
    with room.of(25):
        assert room._free == 0
    assert room._free == 10
