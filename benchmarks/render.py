"""Render N executables, against `kubectl kustomize` building the same N documents.

Both start as a fresh process, read YAML from disk and write the same WorkflowTemplates as one stream; the
documents are counted and their names compared. Ours parses and checks the specs, fills, validates and lints
every template; kustomize parses, orders and prints finished documents.

ratio = seconds of kustomize / seconds of ours: above 1 we are faster.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import projects, report

_ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print its report."""
    parser = report.parser(__doc__)
    parser.add_argument(
        "--count", type=report.positive, default=1000, help="executables to render (default 1000)"
    )
    parser.add_argument("--repeats", type=report.positive, default=3, help="runs of each; the fastest counts")
    parser.add_argument(
        "--child", metavar="PROJECT", type=Path, help="render PROJECT to stdout (used by the benchmark)"
    )
    options = parser.parse_args(arguments)
    if options.child:
        return _child(options.child)
    report.show(measure(options.count, options.repeats), options.output)
    return 0


def measure(count: int, repeats: int) -> report.Report:
    """Time both contenders in a temporary folder. Raises RuntimeError where their documents differ."""
    made = report.Report("render", {"executables": count, "repeats": repeats})
    with tempfile.TemporaryDirectory(prefix="corespec-bench-") as folder:
        root = Path(folder)
        projects.write_environment(root)
        projects.write_executables(root, count)
        command = [sys.executable, "-m", "benchmarks.render", "--child", str(root)]
        ours, stream = _time(command, repeats)
        made.rows.append(
            report.Row("corespec", {"seconds": ours, "documents": _count(stream), "a second": count / ours})
        )
        made.rows.append(report.Row("  of it render()", _in_process(root)))
        try:
            peer, peer_stream = _time(_kustomize(root, stream), repeats)
        except report.PeerMissingError as missing:
            made.skipped["kubectl kustomize"] = str(missing)
            return made
    if _names(stream) != _names(peer_stream):
        raise RuntimeError("kustomize built other documents than we rendered; the times cannot be compared")
    made.rows.append(
        report.Row(
            "kubectl kustomize", {"seconds": peer, "documents": _count(peer_stream), "a second": count / peer}
        )
    )
    made.compare("kustomize / corespec", ours, peer)
    return made


def _child(root: Path) -> int:
    from generator.catalog import load_catalog
    from generator.project import load_project
    from generator.render import render
    from generator.spec.resolve import resolve

    catalog = load_catalog()
    files = render(resolve(load_project(root, catalog), projects.ENVIRONMENT, catalog))
    templates = [content for path, content in files.items() if "/templates/" in path]
    sys.stdout.buffer.write(b"---\n".join(templates))
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
    templates = sum("/templates/" in path for path in files)
    return {"seconds": seconds, "documents": templates, "a second": templates / seconds}


def _kustomize(root: Path, stream: bytes) -> list[str]:
    """Lay our documents out as resources of one kustomization and return the command that builds it."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise report.PeerMissingError(
            "kubectl is not on PATH; install it from https://kubernetes.io/docs/tasks/tools/"
        )
    folder = root / "kustomize"
    folder.mkdir(exist_ok=True)
    documents = stream.split(b"---\n")
    for index, document in enumerate(documents):
        (folder / f"{index:05}.yaml").write_bytes(document)
    resources = "".join(f"- {index:05}.yaml\n" for index in range(len(documents)))
    (folder / "kustomization.yaml").write_text(
        f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{resources}"
    )
    return [kubectl, "kustomize", str(folder)]


def _time(command: list[str], repeats: int) -> tuple[float, bytes]:
    outputs: list[bytes] = []
    seconds = report.best_of(
        repeats,
        lambda: outputs.append(subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE).stdout),
    )
    return seconds, outputs[-1]


def _count(stream: bytes) -> int:
    return len(_names(stream))


def _names(stream: bytes) -> list[bytes]:
    """Sorted `metadata.name` of every document: the only `name` at that depth."""
    names: list[bytes] = []
    for document in stream.split(b"---\n"):
        inside = False
        for line in document.splitlines():
            inside = line == b"metadata:" if line[:1].strip() else inside
            if inside and line.startswith(b"  name: "):
                names.append(line.removeprefix(b"  name: ").strip())
    return sorted(names)


if __name__ == "__main__":
    raise SystemExit(main())
