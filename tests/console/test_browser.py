"""A real browser opens the pages: the style applies and nothing of ours breaks our own policy."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from console.app import create_app
from console.port import ReadPort

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not CHROMIUM, reason="apt-get install -y --no-install-recommends chromium"),
]


@pytest.fixture
def address(port: ReadPort) -> Iterator[str]:
    """The canned console behind a real socket."""
    server = uvicorn.Server(uvicorn.Config(create_app(lambda: port), log_level="error"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def browse(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Open a page; stdout is its document, stderr the browser's console."""
    away = ("gpu", "quic", "background-networking", "component-update", "sync")
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--no-first-run"]
    command += [f"--disable-{name}" for name in away]
    command += [f"--user-data-dir={folder}", "--enable-logging=stderr", "--dump-dom", url]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("path", ["/", "/executions/e1aa00bb11cc22dd?refresh=false"])
def test_a_browser_finds_nothing_to_refuse(address: str, path: str, tmp_path: Path) -> None:
    """No resource is blocked by the content policy and none is missing."""
    seen = browse(address + path, tmp_path)
    assert "<h1>" in seen.stdout
    complaints = [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
    assert complaints == []
