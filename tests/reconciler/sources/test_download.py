"""Downloads over https: resumed, verified before use, never redirected to another scheme."""

from __future__ import annotations

import hashlib
import http.server
import io
import ipaddress
import ssl
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from generator.spec.document import Dataset
from reconciler.dataset import DatasetManifest
from reconciler.errors import DatasetError, TransientError
from reconciler.sources.download import DELAYS, download, shown
from reconciler.sources.read import read_dataset
from tests.reconciler.fake import FakeClock

CONTENT = bytes(range(256)) * 8192  # 2 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """Serves `content`; `cut` bytes per answer, `statuses` first, all requests noted."""

    url: str = ""
    content: bytes = CONTENT
    cut: int = 1 << 30
    ranges: bool = True
    redirect: str = ""
    statuses: list[int] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key."""
    x509 = pytest.importorskip("cryptography.x509", reason="needs cryptography: pip install 'corespec[dev]'")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=True
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return path


@pytest.fixture
def server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append(asked)
            if state.redirect and self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", state.redirect)
                self.end_headers()
                return
            if state.statuses:
                self.send_response(state.statuses.pop(0))
                self.send_header("Retry-After", "7")
                self.end_headers()
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and state.ranges else 0
            if start >= len(state.content):
                self.send_response(416)
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(state.content) - start))
            if start:
                size = len(state.content)
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.end_headers()
            self.wfile.write(state.content[start : start + state.cut])

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    running.socket = context.wrap_socket(running.socket, server_side=True)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    state.url = f"https://127.0.0.1:{running.server_address[1]}"
    yield state
    running.shutdown()
    running.server_close()
    thread.join()


def test_a_download_that_breaks_off_goes_on(server: Server, tmp_path: Path) -> None:
    """Each attempt that brings something is a first one again: no number of interruptions ends it."""
    server.cut = 300_000
    clock = FakeClock()
    download(f"{server.url}/data.bin", SHA256, tmp_path / "x", clock)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert len(server.asked) > len(DELAYS) + 1
    assert all(server.asked[1:])


def test_a_part_of_an_earlier_run_is_used(server: Server, tmp_path: Path) -> None:
    """Only what is missing is asked for."""
    (tmp_path / "x.part").write_bytes(CONTENT[:1_000_000])
    download(f"{server.url}/data.bin", SHA256, tmp_path / "x", FakeClock())
    assert server.asked == ["bytes=1000000-"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_part_of_something_else_is_thrown_away(server: Server, tmp_path: Path, ranges: bool) -> None:
    """The SHA-256 is wrong after resuming: once more from the start. Servers without ranges work too."""
    server.ranges = ranges
    (tmp_path / "x.part").write_bytes(b"?" * 1000)
    download(f"{server.url}/data.bin", SHA256, tmp_path / "x", FakeClock())
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_part_that_is_whole_already(server: Server, tmp_path: Path) -> None:
    """The server says 416: there is nothing beyond it."""
    (tmp_path / "x.part").write_bytes(CONTENT)
    download(f"{server.url}/data.bin", SHA256, tmp_path / "x", FakeClock())
    assert server.asked == [f"bytes={len(CONTENT)}-"]


def test_other_content_is_never_used(server: Server, tmp_path: Path) -> None:
    """An input error, and nothing is left under the name."""
    with pytest.raises(DatasetError, match="SHA-256"):
        download(f"{server.url}/data.bin", "0" * 64, tmp_path / "x", FakeClock())
    assert list(tmp_path.iterdir()) == []


def test_too_large_is_noticed_before_it_is_written(server: Server, tmp_path: Path) -> None:
    """By its length."""
    with pytest.raises(DatasetError, match="larger than"):
        download(f"{server.url}/data.bin", SHA256, tmp_path / "x", FakeClock(), most_bytes=1000)


def test_a_server_that_is_busy_is_asked_again(server: Server, tmp_path: Path) -> None:
    """As late as it says; and not for ever."""
    server.statuses = [503, 429]
    clock = FakeClock()
    download(f"{server.url}/data.bin", SHA256, tmp_path / "x", clock)
    assert clock.slept == [7.0, 7.0]
    server.statuses = [500] * 9
    with pytest.raises(TransientError, match="500"):
        download(f"{server.url}/data.bin", SHA256, tmp_path / "y", FakeClock())


def test_what_is_not_there(server: Server, tmp_path: Path) -> None:
    """An input error; neither a password nor a signature of the URL is shown."""
    server.statuses = [404]
    url = server.url.replace("https://", "https://user:hidden-value@") + "/data.bin?signature=hidden-too"
    with pytest.raises(DatasetError, match="404") as raised:
        download(url, SHA256, tmp_path / "x", FakeClock())
    assert "hidden" not in str(raised.value)
    assert shown("https://h:1/p?q#f") == "https://h:1/p"


def test_redirects_stay_on_https(server: Server, tmp_path: Path) -> None:
    """A relative one is followed; http, file and endless circles are not."""
    server.redirect = "/data.bin"
    download(f"{server.url}/moved", SHA256, tmp_path / "x", FakeClock())
    for target in (server.url.replace("https", "http") + "/data.bin", "file:///etc/passwd"):
        server.redirect = target
        with pytest.raises(DatasetError, match="not https"):
            download(f"{server.url}/moved", SHA256, tmp_path / "y", FakeClock())
    server.redirect = "/moved"
    with pytest.raises(DatasetError, match="too many"):
        download(f"{server.url}/moved", SHA256, tmp_path / "z", FakeClock())


def test_a_certificate_nobody_knows(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused, with the variable that names one's own."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with pytest.raises(DatasetError, match="certificate") as raised:
        download(f"{server.url}/data.bin", SHA256, tmp_path / "x", FakeClock())
    assert "REQUESTS_CA_BUNDLE" in raised.value.remedy


def read(url: str, content: bytes, root: Path) -> DatasetManifest:
    dataset = Dataset(source=url, sha256=hashlib.sha256(content).hexdigest(), path="data")
    return read_dataset(dataset, root, root / "cache", FakeClock())


def test_an_archive_behind_a_url_is_a_dataset(server: Server, tmp_path: Path) -> None:
    """Downloaded once; the cache can be deleted or damaged, which changes nothing but speed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("Images/a.jpg", b"a")
        archive.writestr("train.txt", b"a")
    server.content = packed.getvalue()
    first = read(f"{server.url}/set%20one.zip?x=1", server.content, tmp_path)
    assert [file.path for file in first.files] == ["Images/a.jpg", "train.txt"]
    assert read(f"{server.url}/set%20one.zip?x=1", server.content, tmp_path) == first
    assert len(server.asked) == 1
    (first.source / "train.txt").write_text("somebody was here")
    assert read(f"{server.url}/set%20one.zip?x=1", server.content, tmp_path) == first
    assert len(server.asked) == 2


def test_a_file_behind_a_url_is_a_dataset_of_one_file(server: Server, tmp_path: Path) -> None:
    """Under the name that the URL has."""
    found = read(f"{server.url}/some/weights.safetensors", CONTENT, tmp_path)
    assert [(file.path, file.sha256) for file in found.files] == [("weights.safetensors", SHA256)]
