"""Latency and throughput of serving: ours, and YOLO11n and ssdlite320 behind the same web server.

Clients in a process of their own send one photograph a request (base64 in JSON), wait for the answer and
send the next. All servers run all the time and are asked in turns, round after round, so that what else the
machine does falls on all alike; a ratio is the median over the rounds. Memory is what our server has in RAM
after some requests of 16 clients, and after many.

ratio of pictures/s = ours / peer; of latency and of processor time = peer / ours: above 1 we are better.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
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

_ROOT = Path(__file__).resolve().parents[1]
_OURS = "corespec"
_PEERS = ("yolo11n", "ssdlite320_mobilenet_v3_large")
_WARM_UP = 50


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

    def figures(self) -> dict[str, float | int | str]:
        """Over all rounds."""
        told: dict[str, float | int | str] = {}
        for clients, turns in self.loads.items():
            latencies = sorted(latency for seen, _ in turns for latency in seen.latencies)
            told[f"pictures/s, {clients}"] = statistics.median(seen.rate for seen, _ in turns)
            told[f"p50 ms, {clients}"] = 1000 * latencies[len(latencies) // 2]
            told[f"p99 ms, {clients}"] = 1000 * latencies[int(0.99 * (len(latencies) - 1))]
            cpu = sum(spent for _, spent in turns) / sum(len(seen.latencies) for seen, _ in turns)
            told[f"CPU ms, {clients}"] = 1000 * cpu
        return told


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
        ours = stack.enter_context(_started(_OURS, _our_command(model), "/v1/models/model:predict", bodies))
        contenders = [ours]
        for name in chosen:
            try:
                command = _peer_command(name, options.threads)
                contenders.append(stack.enter_context(_started(name, command, "/predict", bodies)))
            except report.PeerMissingError as missing:
                made.skipped[name] = str(missing)
        for _ in range(options.rounds):
            for clients in options.clients:
                for contender in contenders:
                    contender.turn(clients, bodies, options.seconds)
        made.rows += [report.Row(one.name, one.figures()) for one in contenders]
        for peer in contenders[1:]:
            _compare(made, ours, peer)
        _remember(made, ours, bodies, *options.memory)
    return made


def _compare(made: report.Report, ours: Contender, peer: Contender) -> None:
    for clients, turns in ours.loads.items():
        pairs = list(zip(turns, peer.loads[clients], strict=True))
        rates = [mine.rate / theirs.rate for (mine, _), (theirs, _) in pairs]
        made.ratios[f"pictures/s, {clients} clients: {ours.name} / {peer.name}"] = statistics.median(rates)
        mine, theirs = ours.figures(), peer.figures()
        for figure in ("p50 ms", "p99 ms", "CPU ms"):
            key = f"{figure}, {clients}"
            made.ratios[f"{figure}, {clients} clients: {peer.name} / {ours.name}"] = float(
                theirs[key]
            ) / float(mine[key])


def _remember(made: report.Report, ours: Contender, bodies: Path, few: int, many: int) -> None:
    """Memory of a fresh server would do as well: what went before only makes `few` more."""
    if many <= few:
        return
    load.run(ours.url, bodies, 16, requests=few)
    before = resident_bytes(ours.process)
    load.run(ours.url, bodies, 16, requests=many - few)
    after = resident_bytes(ours.process)
    figures: dict[str, float | int | str] = {f"MB after {few}": before / 1e6, f"MB after {many}": after / 1e6}
    made.rows.append(report.Row(f"{ours.name}, memory", figures))
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
    if name == "yolo11n":
        python = yolo.environment(_ROOT / ".cache" / "benchmarks" / "ultralytics")
    return [str(python), "-m", "benchmarks.peers.server", name, "--threads", str(threads)]


@contextlib.contextmanager
def _started(name: str, command: list[str], path: str, bodies: Path) -> Iterator[Contender]:
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
