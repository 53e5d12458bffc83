"""Clients of a server, in a process of their own: each asks, waits for the answer, and asks again."""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Load:
    """What a group of clients saw: seconds of every request, and of all together."""

    latencies: Sequence[float]
    seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds


def run(url: str, bodies: Path, clients: int, *, seconds: float = 1e9, requests: int = 10**9) -> Load:
    """Ask for so long or so often, whichever ends first. Raises RuntimeError where an answer is no 200."""
    command = [sys.executable, "-m", "benchmarks.load", url, str(bodies), "--clients", str(clients)]
    command += ["--seconds", str(seconds), "--requests", str(requests)]
    done = subprocess.run(command, cwd=_ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{url}: {done.stderr.strip()[-400:]}")
    return Load(**json.loads(done.stdout))


def main() -> None:
    """Ask, and print what was seen as JSON; `bodies` holds a JSON body a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("bodies", type=Path)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--requests", type=int, required=True)
    options = parser.parse_args()
    group = _Group(options.url, options.bodies.read_bytes().splitlines(), options.seconds, options.requests)
    threads = [threading.Thread(target=group.ask, args=(place,)) for place in range(options.clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if group.fault:
        sys.exit(group.fault)
    print(json.dumps({"latencies": group.latencies, "seconds": seconds}))


class _Group:
    def __init__(self, url: str, bodies: Sequence[bytes], seconds: float, requests: int) -> None:
        self.address = urlsplit(url)
        self.bodies = bodies
        self.end = time.perf_counter() + seconds
        self.left = requests
        self.latencies: list[float] = []
        self.fault = ""
        self.lock = threading.Lock()

    def ask(self, place: int) -> None:
        """One client: a connection that is kept, one request after the other."""
        connection = http.client.HTTPConnection(self.address.hostname or "", self.address.port, timeout=120)
        seen: list[float] = []
        while not self.fault and time.perf_counter() < self.end and self._more():
            body = self.bodies[(place + len(seen)) % len(self.bodies)]
            began = time.perf_counter()
            connection.request("POST", self.address.path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            seen.append(time.perf_counter() - began)
            if answer.status != 200:
                self.fault = f"status {answer.status}: {content[:200]!r}"
        connection.close()
        with self.lock:
            self.latencies += seen

    def _more(self) -> bool:
        with self.lock:
            self.left -= 1
            return self.left >= 0


if __name__ == "__main__":
    main()
