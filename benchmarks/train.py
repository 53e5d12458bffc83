"""Equal minutes of training from random start on a VOC folder: ours, YOLO11n, ssdlite, FCOS, D-FINE nano.

Each runs in a fresh process with the same number of threads and the same batch size; all are judged by the
same code on the same validation pictures. Ours counts its evaluations on the way as training time, the peers
have none. Several `--minutes` are several trainings each: a schedule is made for one length, and a longer
training is not the shorter one at its mark. YOLO11n (Ultralytics, AGPL-3.0) and, where it is not there,
transformers are installed into environments of their own below `.cache/`.

ratio of images/s = ours / peer; ratio of mAP = ours / peer: above 1 we are better.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from benchmarks import dataset, outcome, report
from benchmarks.peers import dfine, yolo
from benchmarks.peers.environment import environment

_ROOT = Path(__file__).resolve().parents[1]
_OURS = "compact"
_MODULES = {
    _OURS: "compact",
    "yolo11n": "yolo",
    "ssdlite320_mobilenet_v3_large": "ssdlite",
    "fcos_resnet18_fpn": "fcos",
    "d-fine-n": "dfine",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print its report."""
    parser = report.parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a Pascal VOC folder")
    parser.add_argument(
        "--train", default="train.txt", help="pictures to train on: list file, folder or share"
    )
    parser.add_argument("--validation", default="val.txt", help="pictures to be judged on, likewise")
    parser.add_argument(
        "--minutes", type=float, nargs="+", default=[6.0], help="training times of each (default 6)"
    )
    parser.add_argument("--batch", type=report.positive, default=16)
    parser.add_argument("--threads", type=report.positive, default=2)
    parser.add_argument(
        "--peers", default=",".join(_MODULES), help=f"of {', '.join(_MODULES)}; comma-separated"
    )
    options = parser.parse_args(arguments)
    chosen = options.peers.split(",")
    if unknown := set(chosen) - set(_MODULES):
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}")
    report.show(measure(options, chosen), options.output)
    return 0


def measure(options: argparse.Namespace, chosen: list[str]) -> report.Report:
    """Train the contenders one after the other and judge them."""
    data = dataset.load(options.data, options.train, options.validation)
    made = report.Report(
        f"training on {options.data.name}",
        {"minutes": options.minutes, "threads": options.threads, "batch": options.batch}
        | {"pictures": f"{len(data.train)} / {len(data.validation)}"},
    )
    for minutes in options.minutes:
        _measure(made, data, options, chosen, minutes)
    return made


def _measure(
    made: report.Report, data: dataset.Data, options: argparse.Namespace, chosen: list[str], minutes: float
) -> None:
    """One training of each."""
    figures: dict[str, dict[str, float]] = {}
    for name in chosen:
        if name in made.skipped:
            continue
        try:
            found = _run(name, data, options, minutes)
        except report.PeerMissingError as missing:
            made.skipped[name] = str(missing)
            continue
        figures[name] = {"images/s": found.pictures / found.seconds, **outcome.judge(data, found)}
        size = {"parameters, M": found.parameters / 1e6, "minutes": found.seconds / 60}
        made.rows.append(report.Row(name, {**size, **figures[name]}))
    at = f" at {minutes:g} min" if len(options.minutes) > 1 else ""
    for name in figures if _OURS in figures else ():
        if name != _OURS:
            _compare(made, name, figures[_OURS], figures[name], at)


def _compare(made: report.Report, name: str, ours: dict[str, float], peer: dict[str, float], at: str) -> None:
    for figure in ("images/s", "mAP", "mAP50"):
        if peer[figure] > 0:
            made.ratios[f"{figure}{at}: {_OURS} / {name}"] = ours[figure] / peer[figure]
        else:
            made.notes.append(f"{name} reached no {figure}{at}: there is no ratio")


def _run(name: str, data: dataset.Data, options: argparse.Namespace, minutes: float) -> outcome.Outcome:
    python = _PYTHONS.get(name, lambda: Path(sys.executable))()
    with tempfile.TemporaryDirectory(prefix="corespec-bench-") as folder:
        work = Path(folder)
        data.write(work / "data.json")
        command = [str(python), "-m", f"benchmarks.peers.{_MODULES[name]}"]
        command += ["--data", str(work / "data.json"), "--output", str(work / "outcome.json")]
        command += ["--work", str(work), "--minutes", str(minutes)]
        command += ["--batch", str(options.batch), "--threads", str(options.threads)]
        environment = os.environ | {"OMP_NUM_THREADS": str(options.threads), "OMP_WAIT_POLICY": "PASSIVE"}
        done = subprocess.run(
            command,
            cwd=_ROOT,
            env=environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise report.PeerMissingError(
                f"ended with exit code {done.returncode}: {done.stdout.strip()[-600:]}"
            )
        return outcome.read(work / "outcome.json")


def _transformers() -> Path:
    if find_spec("transformers") and find_spec("scipy"):
        return Path(sys.executable)
    return environment(_CACHE / "transformers", dfine.REQUIREMENTS)


_CACHE = _ROOT / ".cache" / "benchmarks"
_PYTHONS: dict[str, Callable[[], Path]] = {
    "yolo11n": lambda: environment(_CACHE / "ultralytics", yolo.REQUIREMENTS),
    "d-fine-n": _transformers,
}


if __name__ == "__main__":
    raise SystemExit(main())
