"""A real Git server over HTTP on loopback: `git http-backend` behind Basic auth, with hooks for tests.

`git` brings http-backend along, so nothing has to be installed; port and folder are the test's own.
"""

from __future__ import annotations

import base64
import gzip
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

USER, TOKEN = "robot", "t0ken-for-tests"
_WAIT = 60.0  # seconds until a barrier gives up; no test waits that long unless it fails


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def has_backend() -> bool:
    """Whether this Git brings its HTTP server along; some systems package it apart."""
    return Path(git(Path.cwd(), "--exec-path"), "git-http-backend").exists()


class GitServer:
    """Bare repositories below a folder, pushed to by whoever knows the token."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pushes = 0
        self.before_push: Callable[[], None] = lambda: None
        self.seen: list[str] = []
        root.mkdir(parents=True, exist_ok=True)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def url(self, name: str = "gitops.git", credentials: str = "") -> str:
        """URL of a repository, with `user:password` in it where given."""
        return f"http://{credentials}{'@' if credentials else ''}{urlsplit(self.origin).netloc}/{name}"

    def create(self, name: str = "gitops.git") -> Path:
        """A new bare repository that takes pushes; its folder."""
        folder = self.root / name
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main")
        git(folder, "config", "http.receivepack", "true")
        git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
        return folder

    def protect(self, name: str, branch: str) -> None:
        """Refuse every push to a branch, as servers do for protected ones."""
        hook = self.root / name / "hooks" / "update"
        said = "GH006: Protected branch update failed"
        hook.write_text(f'#!/bin/sh\n[ "$1" != refs/heads/{branch} ] && exit 0\necho "{said}" >&2\nexit 1\n')
        hook.chmod(0o755)

    def race(self, writers: int) -> None:
        """Hold pushes back until so many have come with the same old head in mind; later ones pass."""
        barrier = threading.Barrier(writers)
        arrived = threading.Lock()
        count = 0

        def wait() -> None:
            nonlocal count
            with arrived:
                count += 1
                held = count <= writers
            if held:
                barrier.wait(_WAIT)

        self.before_push = wait

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(_WAIT)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(_Backend):
            owner = server

        return Handler


class _Backend(BaseHTTPRequestHandler):
    """One request, handed to http-backend as a CGI program."""

    owner: GitServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Tests read what they need from the server object."""

    def _serve(self, body: bytes) -> None:
        self.owner.seen.append(f"{self.command} {self.path}")
        status = self._refusal()
        if status:
            self._answer(status, [("WWW-Authenticate", 'Basic realm="git"')], b"")
            return
        if self.command == "POST" and self.path.endswith("/git-receive-pack"):
            self.owner.pushes += 1
            self.owner.before_push()
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=self._environment(body), capture_output=True
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
        code = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self._answer(code, [(name, value) for name, value in headers if name != "Status"], content)

    def _refusal(self) -> int:
        """401 without credentials or with wrong ones, 403 for a token that may not write."""
        given = self.headers.get("Authorization", "")
        if not given:
            return 401
        wanted = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        if given == f"Basic {wanted}":
            return 0
        return 403 if "readonly" in base64.b64decode(given.removeprefix("Basic ")).decode() else 401

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _environment(self, body: bytes) -> dict[str, str]:
        path, _, query = self.path.partition("?")
        own = {name: os.environ[name] for name in ("PATH", "HOME", "GIT_CONFIG_GLOBAL") if name in os.environ}
        return own | {
            "GIT_PROJECT_ROOT": str(self.owner.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_USER": USER,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
        }

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(root: Path) -> Iterator[GitServer]:
    """A server that is stopped at the end."""
    server = GitServer(root)
    server.start()
    try:
        yield server
    finally:
        server.stop()
