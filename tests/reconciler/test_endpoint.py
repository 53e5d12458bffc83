"""The daemon's HTTP server, over real sockets."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest

from reconciler.endpoint import _AT_ONCE, Answers, Endpoint
from reconciler.webhook import LARGEST, Verdict


class Daemon:
    """What the server asks, and what it was told."""

    def __init__(self) -> None:
        self.well = True
        self.calls: list[tuple[Mapping[str, str], bytes]] = []
        self.verdict: Verdict | None = Verdict(202, wakes=True)

    def answers(self) -> Answers:
        return Answers(
            health=lambda: (self.well, "alive" if self.well else "stuck"),
            ready=lambda: (self.well, "ready" if self.well else "not ready"),
            metrics=lambda: "corespec_x 1\n",
            webhook=self._webhook,
        )

    def _webhook(self, headers: Mapping[str, str], body: bytes) -> Verdict | None:
        self.calls.append((headers, body))
        return self.verdict


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def address(daemon: Daemon) -> Iterator[tuple[str, int]]:
    with Endpoint("127.0.0.1", 0, daemon.answers()) as endpoint:
        parts = urlsplit(endpoint.url)
        yield str(parts.hostname), int(parts.port or 0)


def ask(
    address: tuple[str, int],
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str = "",
) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(*address, timeout=10)
    try:
        connection.request(method or ("POST" if body is not None else "GET"), path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers.get("Content-Type", "")
    finally:
        connection.close()


def test_probes(daemon: Daemon, address: tuple[str, int]) -> None:
    assert ask(address, "/healthz")[:2] == (200, "alive\n")
    assert ask(address, "/readyz?verbose")[:2] == (200, "ready\n")
    daemon.well = False
    assert ask(address, "/healthz")[:2] == (503, "stuck\n")
    assert ask(address, "/readyz")[:2] == (503, "not ready\n")
    assert ask(address, "/healthz", method="HEAD")[:2] == (503, "")


def test_metrics_say_their_format(address: tuple[str, int]) -> None:
    status, body, kind = ask(address, "/metrics")
    assert (status, body) == (200, "corespec_x 1\n")
    assert kind == "text/plain; version=0.0.4; charset=utf-8"


def test_a_call_is_handed_on_with_its_headers(daemon: Daemon, address: tuple[str, int]) -> None:
    assert ask(address, "/webhook", b"{}", {"X-Signature": "s"})[0] == 202
    ((headers, body),) = daemon.calls
    assert (headers["X-Signature"], body) == ("s", b"{}")


@pytest.mark.parametrize("status", [400, 401, 503])
def test_a_refusal_says_no_more_than_its_status(
    daemon: Daemon, address: tuple[str, int], status: int
) -> None:
    daemon.verdict = Verdict(status, reason="because of the secret")
    answered, body, _ = ask(address, "/webhook", b"{}")
    assert answered == status
    assert "secret" not in body


def test_without_a_webhook_there_is_none(daemon: Daemon, address: tuple[str, int]) -> None:
    daemon.verdict = None
    assert ask(address, "/webhook", b"{}")[0] == 404


@pytest.mark.parametrize(("path", "method"), [("/", "GET"), ("/webhook", "GET"), ("/metrics", "POST")])
def test_nothing_else_is_there(address: tuple[str, int], path: str, method: str) -> None:
    assert ask(address, path, b"" if method == "POST" else None, method=method)[0] == 404


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", b"411"),
        (b"Transfer-Encoding: chunked\r\n", b"411"),
        (b"Content-Length: -1\r\n", b"411"),
        (b"Content-Length: " + str(LARGEST + 1).encode() + b"\r\n", b"413"),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", b"413"),
    ],
)
def test_a_body_of_unknown_or_excessive_length_is_not_read(
    daemon: Daemon, address: tuple[str, int], head: bytes, status: bytes
) -> None:
    with socket.create_connection(address, timeout=10) as caller:
        caller.sendall(b"POST /webhook HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
        assert caller.recv(100).split()[1] == status
    assert daemon.calls == []


def test_silent_callers_do_not_keep_the_probes_waiting(address: tuple[str, int]) -> None:
    """Some hold a connection each and say nothing; the next call is answered, and closing is not delayed."""
    callers = [socket.create_connection(address, timeout=10) for _ in range(_AT_ONCE - 6)]
    try:
        for _ in range(3):
            assert ask(address, "/healthz")[0] == 200
    finally:
        for caller in callers:
            caller.close()


def test_a_taken_address_is_an_error(daemon: Daemon, address: tuple[str, int]) -> None:
    with pytest.raises(OSError, match="in use"):
        Endpoint(*address, daemon.answers())
