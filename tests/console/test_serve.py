"""The listener: this machine only, a free port on request, a taken one refused with its remedy."""

from __future__ import annotations

import socket

import pytest
import uvicorn
from fastapi import FastAPI

from console.serve import PortInUseError, serve


def test_it_listens_on_loopback_and_tells_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 0 becomes a real port, and the socket handed on is bound to 127.0.0.1."""
    seen: list[tuple[str, int]] = []
    protocols: list[int] = []
    told: list[str] = []

    def run(_: uvicorn.Server, sockets: list[socket.socket]) -> None:
        seen.extend(one.getsockname() for one in sockets)
        protocols.extend(one.proto for one in sockets)

    monkeypatch.setattr(uvicorn.Server, "run", run)
    serve(FastAPI(), 0, ready=told.append)
    ((host, port),) = seen
    assert host == "127.0.0.1"
    assert told == [f"http://127.0.0.1:{port}/"]
    assert protocols == [socket.IPPROTO_TCP]  # by which asyncio knows to send at once


def test_a_taken_port_is_refused_with_the_remedy() -> None:
    """Nothing is served elsewhere silently."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortInUseError, match="Choose another with --port"):
            serve(FastAPI(), other.getsockname()[1])
