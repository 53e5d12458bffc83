"""Serve the console to this machine, and to no other."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

HOST = "127.0.0.1"


class PortInUseError(Exception):
    """Another program listens on the port; the message names the port and the remedy."""


def serve(app: FastAPI, port: int, *, ready: Callable[[str], None] = lambda _: None) -> None:
    """Answer on 127.0.0.1 until interrupted; port 0 takes a free one. `ready` is told the address first.

    Raises PortInUseError when the port is taken.
    """
    # With the protocol named, asyncio sends a body at once; else it waits for the receipt of its head.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise PortInUseError(
                f"Port {port} of {HOST} cannot be used ({error.strerror}). Choose another with --port."
            ) from error
        listener.listen()
        ready(f"http://{HOST}:{listener.getsockname()[1]}/")
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
