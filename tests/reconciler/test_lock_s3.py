"""The lock in a bucket, on moto's S3 and on a real one (Ceph RGW)."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.errors import LockHeldError, LockLostError, LockUnavailableError
from reconciler.lock_base import LIFETIME, MARGIN, LockRecord
from reconciler.lock_expiring import ExpiringLock
from reconciler.lock_s3 import S3Slot
from reconciler.locks import open_lock
from reconciler.s3client import Bucket
from tests.reconciler.fake import FakeClock
from tests.reconciler.project import LAUNCH_ONLY, Project
from tests.reconciler.proxy import Proxy
from tests.reconciler.slots import PLACE, ceph, new_bucket

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def moto() -> Iterator[tuple[str, str, str]]:
    """An S3 server in this process."""
    server = pytest.importorskip("moto.server", reason="needs moto: pip install 'corespec[dev]'")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}", "test", "hidden-value"
    running.stop()


@pytest.fixture(params=["moto", pytest.param("ceph", marks=pytest.mark.integration)])
def server(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """Endpoint, access key and secret key."""
    found: tuple[str, str, str] = request.getfixturevalue("moto") if request.param == "moto" else ceph()
    return found


@pytest.fixture
def bucket(server: tuple[str, str, str]) -> Bucket:
    return new_bucket(*server)


def _slot(bucket: Bucket) -> S3Slot:
    return S3Slot(bucket, "corespec/locks/x.json")


def _lock(bucket: Bucket, operation: str = "apply", clock: FakeClock | None = None) -> ExpiringLock:
    return ExpiringLock(_slot(bucket), *PLACE, operation, clock=clock or FakeClock())


def _record(bucket: Bucket) -> LockRecord:
    return LockRecord.parse(_slot(bucket).get().content or b"")


def _age(bucket: Bucket, age: timedelta) -> None:
    """Let the record be one that has expired `age` ago, on the server's clock."""
    slot = _slot(bucket)
    record = replace(_record(bucket), expires_at=(slot.get().at or datetime.now(UTC)) - age)
    assert slot.put(record.dump(), slot.get().tag)


def test_one_life_of_a_lock(bucket: Bucket) -> None:
    """Taken, renewed, refused to another, released, taken by another: by conditional writes alone."""
    first = _lock(bucket)
    with first:
        first.check()
        taken = _record(bucket)
        first.refresh()
        first.check()
        assert _record(bucket).taken_at == taken.taken_at
        assert _record(bucket).expires_at >= taken.expires_at
        with pytest.raises(LockHeldError, match="apply, since"):
            _lock(bucket, "reconcile").acquire()
    assert _lock(bucket).look() is None
    with pytest.raises(LockLostError):
        first.check()
    second = _lock(bucket, "reconcile")
    second.acquire()
    second.check()
    assert _lock(bucket).unlock(second.token).operation == "reconcile"
    with pytest.raises(LockLostError):
        second.check()


def test_expiry_is_on_the_servers_clock(bucket: Bucket) -> None:
    """The host's clock stands in another year; the record has the time of the Date header."""
    lock = _lock(bucket, clock=FakeClock(datetime(2001, 1, 1, tzinfo=UTC)))
    lock.acquire()
    now = _slot(bucket).get().at
    assert now is not None
    assert abs(_record(bucket).expires_at - LIFETIME - now) < timedelta(seconds=30)


def test_a_killed_holder_is_followed_after_expiry_and_not_before(bucket: Bucket) -> None:
    """Nothing was released; the margin is respected, and the one who was passed over writes no more."""
    dead = _lock(bucket)
    dead.acquire()
    _age(bucket, MARGIN - timedelta(seconds=8))
    with pytest.raises(LockHeldError):
        _lock(bucket).acquire()
    with pytest.raises(LockLostError, match="has expired"):
        dead.check()
    _age(bucket, MARGIN + timedelta(seconds=2))
    heir = _lock(bucket)
    heir.acquire()
    heir.check()
    with pytest.raises(LockLostError, match="taken away"):
        dead.check()
    with pytest.raises(LockLostError):
        dead.refresh()
    dead.release()
    heir.check()


def test_a_stale_tag_writes_nothing(bucket: Bucket) -> None:
    """What all of it rests on, with the tag in either spelling."""
    slot = _slot(bucket)
    assert slot.put(b"one", "")
    assert not slot.put(b"other", "")
    old = slot.get().tag
    assert '"' not in old
    assert slot.put(b"two", old)
    for form in ("{}", '"{}"'):
        slot._forms = (form,)
        assert not slot.put(b"three", old)
    assert slot.get().content == b"two"
    absent = S3Slot(bucket, "corespec/locks/absent.json")
    assert not absent.put(b"four", old)
    assert absent.get().content is None


def test_a_server_that_wants_quotes_around_the_tag(moto: tuple[str, str, str]) -> None:
    """The other spelling is tried once the first was refused and nothing had changed; then it is kept."""

    class Strict(S3Slot):
        sent: list[str] = []

        def _put(self, content: bytes, condition: dict[str, str]) -> bool:
            tag = condition.get("If-Match", '""')
            self.sent.append(tag)
            return tag.startswith('"') and super()._put(content, condition)

    slot = Strict(new_bucket(*moto), "x.json")
    with ExpiringLock(slot, *PLACE, "apply") as lock:
        assert not slot.sent[-2].startswith('"')
        before = len(slot.sent)
        lock.refresh()
        lock.check()
        assert [tag[0] for tag in slot.sent[before:]] == ['"']


def test_what_cannot_be_read_is_not_free(bucket: Bucket) -> None:
    """Something else under the lock's key, however large: exit code 1, and it stays."""
    assert _slot(bucket).put(b"x" * 200_000, "")
    with pytest.raises(LockUnavailableError, match="no lock that this version"):
        _lock(bucket).acquire()
    assert _slot(bucket).get().tag


def test_a_bucket_that_is_not_there_fails_closed(server: tuple[str, str, str]) -> None:
    """Exit code 1, one message that names lock, bucket and reason."""
    endpoint, access, secret = server
    bucket = Bucket(
        "no-such-bucket", endpoint=endpoint, access_key_id=access, secret_access_key=secret, clock=FakeClock()
    )
    with pytest.raises(LockUnavailableError, match=r"no-such-bucket.*nothing is written") as raised:
        _lock(bucket).acquire()
    assert (raised.value.exit_code, raised.value.transient) == (1, False)


def test_credentials_that_do_not_work_fail_closed() -> None:
    """Nobody goes on without the lock."""
    endpoint, _, _ = ceph()
    bucket = Bucket("b", endpoint=endpoint, access_key_id="nobody", secret_access_key="hidden-value")
    with pytest.raises(LockUnavailableError) as raised:
        _lock(bucket).acquire()
    assert raised.value.exit_code == 1
    assert "hidden-value" not in str(raised.value)


def test_an_endpoint_that_does_not_answer_fails_closed() -> None:
    """Repeated on our own clock, then exit code 1; a later round may try again."""
    clock = FakeClock()
    bucket = Bucket(
        "b",
        endpoint="http://127.0.0.1:9",
        access_key_id="key",
        secret_access_key="hidden-value",
        clock=clock,
    )
    with pytest.raises(LockUnavailableError, match="cannot be used, so nothing is written") as raised:
        _lock(bucket).acquire()
    assert (raised.value.exit_code, raised.value.transient) == (1, True)
    assert "hidden-value" not in str(raised.value)
    assert clock.slept


def test_credentials_are_nowhere(moto: tuple[str, str, str], caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the record, nor in what the package logs, nor in an error."""
    bucket = new_bucket(*moto)
    with caplog.at_level(logging.DEBUG, logger="reconciler"):
        with _lock(bucket), pytest.raises(LockHeldError) as raised:
            _lock(bucket).acquire()
        written = _slot(bucket).get().content or b""
    assert b"hidden-value" not in written
    assert "hidden-value" not in caplog.text + str(raised.value) + json.dumps(_record(bucket).document())


HOLDER = """
import sys
from reconciler.lock_expiring import ExpiringLock
from reconciler.lock_s3 import S3Slot
from reconciler.s3client import Bucket
endpoint, access, secret, name = sys.argv[1:]
bucket = Bucket(name, "some/prefix", endpoint=endpoint, access_key_id=access, secret_access_key=secret)
with ExpiringLock(S3Slot(bucket, "corespec/locks/x.json"), "http://ai.example/v2", "default", "apply"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_kill_9_of_the_holder(server: tuple[str, str, str], bucket: Bucket) -> None:
    """Its lock stays where it is until it expires; then, and not before, another gets it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, *server, bucket.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.kill()
    assert process.returncode == -9
    with pytest.raises(LockHeldError, match=f"process {process.pid}"):
        _lock(bucket).acquire()
    _age(bucket, MARGIN + timedelta(seconds=2))
    with _lock(bucket) as heir:
        heir.check()


RACER = """
import json, sys
from pathlib import Path
from reconciler.errors import LockHeldError
from reconciler.lock_expiring import ExpiringLock
from reconciler.lock_s3 import S3Slot
from reconciler.s3client import Bucket
endpoint, access, secret, name, inside, rounds = sys.argv[1:]
inside = Path(inside)
bucket = Bucket(name, endpoint=endpoint, access_key_id=access, secret_access_key=secret)
won = lost = 0
print("ready", flush=True)
sys.stdin.readline()
while won < int(rounds):
    lock = ExpiringLock(S3Slot(bucket, "race.json"), "http://ai", "default", "race")
    try:
        lock.acquire()
    except LockHeldError:
        lost += 1
        continue
    lock.check()
    inside.mkdir()  # FileExistsError where the other one is inside too
    lock.check()
    inside.rmdir()
    won += 1
    lock.release()
print(json.dumps([won, lost]))
"""


@pytest.mark.timeout(240)
def test_two_processes_race_for_one_lock(server: tuple[str, str, str], tmp_path: Path) -> None:
    """Fifty rounds, each of the two wins half: never are both inside."""
    bucket = new_bucket(*server)
    arguments = [*server, bucket.name, str(tmp_path / "inside"), "25"]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        told, complaint = racer.communicate(timeout=200)
        assert racer.returncode == 0, complaint
        assert json.loads(told)[0] == 25
    assert not (tmp_path / "inside").exists()


def test_an_apply_holds_the_lock_in_the_bucket_that_the_environment_names(
    project: Project, proxy: Proxy, moto: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held elsewhere: exit code 5, and nothing is sent; free: taken with the commit, and given back."""
    bucket = new_bucket(*moto)
    monkeypatch.setenv("LOCK_KEY", moto[1])
    monkeypatch.setenv("LOCK_SECRET", moto[2])
    place = project.clone / "specs" / "environments" / "local.yaml"
    text = place.read_text()
    store = f"locks: {{type: s3, bucket: {bucket.name}, endpoint: {moto[0]}, pathPrefix: some/prefix, "
    store += "accessKeyId: env:LOCK_KEY, secretAccessKey: env:LOCK_SECRET}"
    place.write_text(
        text.replace("objectStores:\n", f"objectStores:\n  {store}\n")
        + "lock: {type: s3, objectStore: locks}\n"
    )
    project.push("Share a lock")
    session = project.session()
    elsewhere = open_lock(session.bench().environment, project.clone, "another apply")
    with elsewhere, pytest.raises(LockHeldError, match="another apply"):
        session.apply(LAUNCH_ONLY)
    assert proxy.writes == []
    assert session.apply(LAUNCH_ONLY) is not None
    assert proxy.writes
    (item,) = bucket.client.list_objects_v2(Bucket=bucket.name)["Contents"]
    assert item["Key"].startswith("some/prefix/corespec/locks/")
    content = bucket.client.get_object(Bucket=bucket.name, Key=item["Key"])["Body"].read()
    record = LockRecord.parse(content)
    assert (record.operation, record.released, len(record.commit)) == ("apply", True, 40)
    assert not list((project.root / "locks").glob("*"))
