"""Latency and throughput of serving: ours, and YOLO11n and ssdlite320 behind the same web server.

Clients in a process of their own send one photograph a request (base64 in JSON), wait for the answer and
send the next. All servers run all the time and are asked in turns, round after round, so that what else the
machine does falls on all alike; a ratio is the median over the rounds. Memory is what our server has in RAM
after some requests of 16 clients, and after many. YOLO11n takes part twice: at 320 pixels, about the size of
our network's input, and at 640, which is what Ultralytics predicts with unless it is told otherwise.

ratio of pictures/s = ours / peer; of latency and of processor time = peer / ours: above 1 we are better.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import load, report
from benchmarks.peers import yolo
from benchmarks.peers.environment import environment

_ROOT = Path(__file__).resolve().parents[1]
_OURS = "corespec"
_PREDICT = "/v1/models/model:predict"
_PEERS = ("yolo11n-320", "yolo11n-640", "ssdlite320_mobilenet_v3_large")
_WARM_UP = 50
"""Requests before anything is measured."""


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print its report."""
    parser = report.parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a Pascal VOC folder")
    parser.add_argument(
        "--model", type=Path, help="our model folder (default: one minute of training on --data)"
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="minutes of that training (default 1)")
    parser.add_argument("--clients", type=report.positive, nargs="+", default=[1, 16])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each turn (default 8)")
    parser.add_argument("--rounds", type=report.positive, default=5)
    parser.add_argument("--threads", type=report.positive, default=2)
    parser.add_argument("--pictures", type=report.positive, default=64, help="different ones (default 64)")
    parser.add_argument("--memory", type=int, nargs=2, default=[200, 20_000], metavar=("FEW", "MANY"))
    parser.add_argument("--peers", default=",".join(_PEERS), help=f"of {', '.join(_PEERS)}; comma-separated")
    options = parser.parse_args(arguments)
    chosen = [name for name in options.peers.split(",") if name]
    if unknown := set(chosen) - set(_PEERS):
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}")
    report.show(measure(options, chosen), options.output)
    return 0


@dataclass
class Contender:
    """A running server, and what was seen of it: by number of clients, a load and CPU seconds a turn."""

    name: str
    url: str
    process: int
    loads: dict[int, list[tuple[load.Load, float]]] = field(default_factory=dict)

    def turn(self, clients: int, bodies: Path, seconds: float) -> None:
        """Be asked for some seconds."""
        before = cpu_seconds(self.process)
        seen = load.run(self.url, bodies, clients, seconds=seconds)
        self.loads.setdefault(clients, []).append((seen, cpu_seconds(self.process) - before))

    def figures(self, clients: int) -> dict[str, float]:
        """Over all rounds with so many clients."""
        turns = self.loads[clients]
        latencies = sorted(latency for seen, _ in turns for latency in seen.latencies)
        return {
            "pictures/s": statistics.median(seen.rate for seen, _ in turns),
            "p50 ms": 1000 * statistics.median(latencies),
            "p99 ms": 1000 * latencies[math.ceil(0.99 * len(latencies)) - 1],
            "CPU ms": 1000 * sum(spent for _, spent in turns) / len(latencies),
        }


def measure(options: argparse.Namespace, chosen: list[str]) -> report.Report:
    """Start all servers, ask them in turns, then look at the memory of ours."""
    made = report.Report(
        f"serving {options.data.name}",
        {"rounds": options.rounds, "seconds": options.seconds, "threads": options.threads},
    )
    with tempfile.TemporaryDirectory(prefix="corespec-bench-") as folder, contextlib.ExitStack() as stack:
        work = Path(folder)
        model = options.model or _train(options, work / "model")
        bodies = _bodies(options.data, options.pictures, work / "bodies")
        if options.memory[1] > options.memory[0]:
            _remember(made, _our_command(model), bodies, *options.memory)
        ours = stack.enter_context(started(_OURS, _our_command(model), _PREDICT, bodies))
        contenders = [ours]
        for name in chosen:
            try:
                command = _peer_command(name, options.threads)
                contenders.append(stack.enter_context(started(name, command, "/predict", bodies)))
            except report.PeerMissingError as missing:
                made.skipped[name] = str(missing)
        for _ in range(options.rounds):
            for clients in options.clients:
                for contender in contenders:
                    contender.turn(clients, bodies, options.seconds)
    for clients in options.clients:
        for one in contenders:
            made.rows.append(report.Row(f"{one.name}, {clients} clients", dict(one.figures(clients))))
        for peer in contenders[1:]:
            _compare(made, ours, peer, clients)
    return made


def _compare(made: report.Report, ours: Contender, peer: Contender, clients: int) -> None:
    pairs = zip(ours.loads[clients], peer.loads[clients], strict=True)
    rate = statistics.median(mine.rate / theirs.rate for (mine, _), (theirs, _) in pairs)
    made.ratios[f"pictures/s, {clients} clients: {ours.name} / {peer.name}"] = rate
    mine, theirs = ours.figures(clients), peer.figures(clients)
    for figure in ("p50 ms", "p99 ms", "CPU ms"):
        made.compare(f"{figure}, {clients} clients: {peer.name} / {ours.name}", mine[figure], theirs[figure])


def _remember(made: report.Report, command: list[str], bodies: Path, few: int, many: int) -> None:
    """Memory of a fresh server of ours, whose warm-up counts among the first requests."""
    with started(_OURS, command, _PREDICT, bodies) as fresh:
        if few > _WARM_UP:
            load.run(fresh.url, bodies, 16, requests=few - _WARM_UP)
        before = resident_bytes(fresh.process)
        load.run(fresh.url, bodies, 16, requests=many - few)
        after = resident_bytes(fresh.process)
    figures: dict[str, float | int | str] = {f"MB after {few}": before / 1e6, f"MB after {many}": after / 1e6}
    made.rows.append(report.Row(f"{_OURS}, memory", figures))
    made.ratios[f"memory after {many} / after {few} requests"] = after / before


def _bodies(data: Path, pictures: int, path: Path) -> Path:
    """One request a line; the same pictures in the same order for everybody."""
    found = sorted((data / "JPEGImages").iterdir())[:pictures]
    lines = [json.dumps({"images": base64.b64encode(one.read_bytes()).decode()}) for one in found]
    path.write_text("\n".join(lines))
    return path


def _train(options: argparse.Namespace, folder: Path) -> Path:
    words = {"train": 0.8, "validation": 0.1, "test": "", "maximum_training_minutes": options.minutes}
    words |= {"maximum_training_steps": 10_000_000, "aicore_tracking": "False", "bad_data": "skip"}
    command = [sys.executable, "-m", "trainer", "object-detection-train", "--datain", str(options.data)]
    command += ["--trainedmodel", str(folder)]
    command += [part for name, value in words.items() for part in ("--set", f"{name}={value}")]
    subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


def _our_command(model: Path) -> list[str]:
    command = [sys.executable, "-m", "trainer", "model-serving", "--models", f"{model}[model]", "--port", "0"]
    return [*command, "--set", "loglevel=3", "--set", "gpu_deployment=False"]


def _peer_command(name: str, threads: int) -> list[str]:
    python = Path(sys.executable)
    if name.startswith("yolo11n"):
        python = environment(_ROOT / ".cache" / "benchmarks" / "ultralytics", yolo.REQUIREMENTS)
    return [str(python), "-m", "benchmarks.peers.server", name, "--threads", str(threads)]


@contextlib.contextmanager
def started(name: str, command: list[str], path: str, bodies: Path) -> Iterator[Contender]:
    """A server that has answered some requests. Raises PeerMissingError where it does not come up."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
        process = subprocess.Popen(
            command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            found = next((match for line in lines if (match := re.search(r"http://\S+:\d+", line))), None)
            if found is None:
                log.seek(0)
                raise report.PeerMissingError(f"did not start: {log.read().strip()[-400:]}")
            drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
            contender = Contender(name, found[0] + path, process.pid)
            _warm_up(contender, bodies)
            yield contender
        finally:
            process.terminate()
            process.wait()
            process.stdout.close() if process.stdout else None
    drain.wait()


def _warm_up(contender: Contender, bodies: Path) -> None:
    for _ in range(120):
        try:
            load.run(contender.url, bodies, 4, requests=_WARM_UP)
        except RuntimeError as fault:
            reason = str(fault)
            if "status 503" not in reason:
                break
        else:
            return
    raise report.PeerMissingError(f"{contender.name} does not answer: {reason}")


def cpu_seconds(process: int) -> float:
    """User and system time of a process until now."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(process: int) -> int:
    """Memory of a process in RAM."""
    return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
        "SC_PAGE_SIZE"
    )


if __name__ == "__main__":
    raise SystemExit(main())
