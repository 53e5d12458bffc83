"""Render N executables, against `kubectl kustomize` and hera's `to_yaml` writing the same N documents.

Every contender starts as a fresh process, reads YAML from disk and writes the same WorkflowTemplates as one
stream; the documents are counted, and every one of the stream must read back as the very data that we wrote.

corespec   parses and checks the specs, fills, validates and lints every template, writes it.
kustomize  reads the finished documents as resources of one kustomization, orders and prints them.
hera       reads the finished documents with libyaml, turns each into `hera.workflows.WorkflowTemplate` by
           `from_dict` and prints what its `to_yaml` returns. (`from_yaml` would read with PyYAML's own
           parser, which takes four times as long.)

ratio = seconds of the peer / seconds of ours: above 1 we are faster. CPU seconds are user and system time of
the whole process: other work on the machine disturbs them less.

Then an unchanged project: CPU seconds of a cold and of a warm `corespec render --check`. With --scale,
projects of growing size instead: CPU seconds for each 1,000 executables, process start included; last / first
at most 1 is linear growth, above 1 is worse than that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import yaml

from benchmarks import projects, report

_ROOT = Path(__file__).resolve().parents[1]
_SCALE = (1000, 2500, 5000, 10_000)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print its report."""
    parser = report.parser(__doc__)
    parser.add_argument(
        "--count", type=report.positive, default=1000, help="executables to render (default 1000)"
    )
    parser.add_argument("--repeats", type=report.positive, default=3, help="runs of each; the fastest counts")
    parser.add_argument(
        "--scale",
        type=report.positive,
        nargs="*",
        metavar="COUNT",
        help=f"measure growth over these sizes (default {' '.join(map(str, _SCALE))}) instead of peers",
    )
    parser.add_argument(
        "--child",
        nargs=2,
        metavar=("CONTENDER", "FOLDER"),
        help="write the documents of FOLDER to stdout (used by the benchmark)",
    )
    options = parser.parse_args(arguments)
    if options.child:
        contender, folder = options.child
        return {"corespec": _corespec, "hera": _hera}[contender](Path(folder))
    if options.scale is not None:
        made = measure_growth(options.scale or _SCALE, options.repeats)
    else:
        made = measure(options.count, options.repeats)
    report.show(made, options.output)
    return 0


def measure(count: int, repeats: int) -> report.Report:
    """Time all contenders in a temporary folder. Raises RuntimeError where their documents differ."""
    made = report.Report("render", {"executables": count, "repeats": repeats})
    with tempfile.TemporaryDirectory(prefix="corespec-bench-") as folder:
        root = Path(folder)
        projects.write_environment(root)
        projects.write_executables(root, count)
        ours, cpu, stream = _time(_child("corespec", root), repeats)
        documents = stream.split(b"---\n")
        made.rows.append(report.Row("corespec", {**_figures(ours, len(documents)), "CPU seconds": cpu}))
        made.rows.append(report.Row("  of it render()", _in_process(root)))
        _lay_out(root / "finished", documents)
        peers: dict[str, Callable[[], list[str]]] = {
            "kubectl kustomize": lambda: _kustomize(root / "finished"),
            "hera to_yaml": lambda: _child("hera", root / "finished"),
        }
        for name, command in peers.items():
            try:
                seconds, cpu, other = _time(command(), repeats)
            except report.PeerMissingError as missing:
                made.skipped[name] = str(missing)
                continue
            if _data(other) != _data(stream):
                raise RuntimeError(f"{name} wrote other documents than we; the times cannot be compared")
            made.rows.append(report.Row(name, {**_figures(seconds, len(documents)), "CPU seconds": cpu}))
            made.compare(f"{name} / corespec", ours, seconds)
        made.rows += _checks(root, repeats)
    return made


def measure_growth(sizes: list[int] | tuple[int, ...], repeats: int) -> report.Report:
    """CPU seconds for each 1,000 executables, process start included, in projects of several sizes."""
    made = report.Report("render --scale", {"repeats": repeats})
    rates: list[float] = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="corespec-bench-") as folder:
            projects.write_environment(Path(folder))
            projects.write_executables(Path(folder), size)
            seconds, cpu, stream = _time(_child("corespec", Path(folder)), repeats)
        rates.append(1000 * cpu / size)
        documents = stream.count(b"---\n") + 1
        made.rows.append(
            report.Row(
                f"{size} executables",
                {
                    "seconds": seconds,
                    "documents": documents,
                    "CPU seconds": cpu,
                    "CPU seconds per 1,000": rates[-1],
                },
            )
        )
    made.ratios["CPU seconds per 1,000: last / first"] = rates[-1] / rates[0]
    return made


def _figures(seconds: float, documents: int) -> dict[str, float | int | str]:
    return {"seconds": seconds, "documents": documents, "a second": documents / seconds}


def _child(contender: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.render", "--child", contender, str(folder)]


def _corespec(root: Path) -> int:
    from generator.catalog import load_catalog
    from generator.project import load_project
    from generator.render import render
    from generator.spec.resolve import resolve

    catalog = load_catalog()
    files = render(resolve(load_project(root, catalog), projects.ENVIRONMENT, catalog))
    templates = [content for path, content in files.items() if "/templates/" in path]
    sys.stdout.buffer.write(b"---\n".join(templates))
    return 0


def _hera(folder: Path) -> int:
    from hera.workflows import WorkflowTemplate

    texts = (path.read_bytes() for path in sorted(folder.glob("[0-9]*.yaml")))
    models = (WorkflowTemplate.from_dict(yaml.load(text, Loader=_LOADER)) for text in texts)
    sys.stdout.write("---\n".join(cast(WorkflowTemplate, model).to_yaml() for model in models))
    return 0


def _in_process(root: Path) -> dict[str, float | int | str]:
    """Only the pure part, without process start, imports and reading."""
    from generator.catalog import load_catalog
    from generator.project import load_project
    from generator.render import render
    from generator.spec.resolve import resolve

    catalog = load_catalog()
    resolved = resolve(load_project(root, catalog), projects.ENVIRONMENT, catalog)
    begin = time.perf_counter()
    files = render(resolved)
    seconds = time.perf_counter() - begin
    return _figures(seconds, sum("/templates/" in path for path in files))


def _lay_out(folder: Path, documents: list[bytes]) -> None:
    """Write our documents as finished files, and as the resources of one kustomization."""
    folder.mkdir()
    for index, document in enumerate(documents):
        (folder / f"{index:05}.yaml").write_bytes(document)
    resources = "".join(f"- {index:05}.yaml\n" for index in range(len(documents)))
    (folder / "kustomization.yaml").write_text(
        f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{resources}"
    )


def _kustomize(folder: Path) -> list[str]:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise report.PeerMissingError(
            "kubectl is not on PATH; install it from https://kubernetes.io/docs/tasks/tools/"
        )
    return [kubectl, "kustomize", str(folder)]


def _checks(root: Path, repeats: int) -> list[report.Row]:
    """What it costs to find out that nothing has changed, with and without what the last run remembered."""
    command = [sys.executable, "-m", "corespec", "render", "-C", str(root)]
    subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)
    warm = min(_cpu([*command, "--check"]) for _ in range(repeats))
    shutil.rmtree(root / ".corespec" / "cache", ignore_errors=True)
    cold = _cpu([*command, "--check"])
    return [
        report.Row("render --check, cold", {"CPU seconds": cold}),
        report.Row("render --check, warm", {"CPU seconds": warm}),
    ]


def _cpu(command: list[str]) -> float:
    """User and system seconds of a process that must succeed."""
    return _time(command, 1)[1]


def _time(command: list[str], repeats: int) -> tuple[float, float, bytes]:
    """Wall-clock and CPU seconds of the fastest of several runs, and what the last one printed."""
    outputs: list[bytes] = []
    spent: list[float] = []

    def work() -> None:
        before = os.times()
        outputs.append(subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE).stdout)
        after = os.times()
        spent.append(sum(after[2:4]) - sum(before[2:4]))

    return report.best_of(repeats, work), min(spent), outputs[-1]


def _data(stream: bytes) -> dict[str, object]:
    """The documents of a stream by name: what they say, not how they are written."""
    documents = [yaml.load(text, Loader=_LOADER) for text in stream.split(b"---\n")]
    return {document["metadata"]["name"]: document for document in documents}


if __name__ == "__main__":
    raise SystemExit(main())
