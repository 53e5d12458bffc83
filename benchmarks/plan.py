"""A plan that finds nothing to do, against `terraform plan` over as many resources.

Ours: `corespec plan` over a local AI Core that holds N configurations and N completed executions. It parses
the specs, renders, hashes the data, reads AI Core over HTTP and compares; and once more after one line of the
specs was edited. Peer: `terraform plan` over N `terraform_data` resources (built in: no provider, no network)
in its state file. All are fresh processes that take turns, and must find what is to be found: nothing, or the
one edit. `benchmarks/localworld.py` and `benchmarks/peers/terraform.py` say how the worlds are filled.

ratio = seconds (median) of terraform / seconds (median) of ours: above 1 we are faster. With --scale, over
several sizes: do seconds grow linearly, and requests with the pages? Growth above 1 is worse than linear.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import linear_regression

from benchmarks import localworld, process, report
from benchmarks.peers.terraform import Terraform

_SCALE = (1000, 10_000, 50_000)


@dataclass
class Size:
    """What was measured in worlds of one size."""

    count: int
    same: list[process.Cost] = field(default_factory=list)
    edited: list[process.Cost] = field(default_factory=list)
    peer: list[process.Cost] = field(default_factory=list)
    requests: int = 0
    requests_edited: int = 0
    missing: str = ""  #: why there is no peer

    def rows(self) -> list[report.Row]:
        """A row for each contender; the objects are configurations and executions, or resources."""
        asked: list[dict[str, float | int | str]] = [
            {"requests": self.requests},
            {"requests": self.requests_edited},
            {},
        ]
        names = "corespec plan", "  one line edited", "terraform plan"
        contenders = zip(names, (self.same, self.edited, self.peer), asked, strict=True)
        return [
            report.Row(f"{name}, {self.count}", {**_figures(costs), **requests})
            for name, costs, requests in contenders
            if costs
        ]


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print its report."""
    parser = report.parser(__doc__)
    parser.add_argument("--count", type=report.positive, default=5000, help="configurations (default 5000)")
    parser.add_argument(
        "--repeats", type=report.positive, default=3, help="plans of each, in turns; the median counts"
    )
    parser.add_argument(
        "--scale",
        type=report.positive,
        nargs="*",
        metavar="COUNT",
        help=f"measure growth over these sizes (default {' '.join(map(str, _SCALE))})",
    )
    parser.add_argument(
        "--peer-minutes",
        type=float,
        default=30.0,
        help="longest that one terraform command may take (default 30)",
    )
    options = parser.parse_args(arguments)
    grows = options.scale is not None
    counts = (options.scale or list(_SCALE)) if grows else [options.count]
    sizes = [measure(count, options.repeats, options.peer_minutes) for count in counts]
    report.show(reported(sizes, options.repeats, grows=grows), options.output)
    return 0


def measure(count: int, repeats: int, peer_minutes: float) -> Size:
    """Fill both worlds in a temporary folder and time their plans, in turns."""
    size = Size(count)
    with tempfile.TemporaryDirectory(prefix="corespec-bench-") as folder:
        peer: Terraform | None = None
        try:
            peer = Terraform(Path(folder) / "terraform", count, peer_minutes)
        except report.PeerMissingError as missing:
            size.missing = str(missing)
        with localworld.filled(Path(folder) / "corespec", count) as world:
            for _ in range(repeats):
                size.requests = world.requests_of(lambda: size.same.append(world.plan()))
                with world.one_line_edited():
                    size.requests_edited = world.requests_of(
                        lambda: size.edited.append(world.plan(edited=True))
                    )
                try:
                    size.peer += [peer.plan()] if peer else []
                except report.PeerMissingError as missing:
                    size.missing, peer = str(missing), None
    return size


def reported(sizes: list[Size], repeats: int, *, grows: bool) -> report.Report:
    """Rows and ratios of all sizes; `grows`: with the line that fits them best."""
    counts = " ".join(str(size.count) for size in sizes)
    made = report.Report("plan --scale" if grows else "plan", {"objects": counts, "repeats": repeats})
    for size in sizes:
        made.rows += size.rows()
        ours = process.middle(size.same)
        if size.peer:
            peer = process.middle(size.peer)
            made.compare(f"terraform / corespec, {size.count}", ours.seconds, peer.seconds)
            made.compare(f"CPU of terraform / corespec, {size.count}", ours.cpu, peer.cpu)
        if size.missing:
            made.skipped[f"terraform plan, {size.count}"] = size.missing
        made.ratios[f"one line edited / nothing to do, {size.count}"] = (
            process.middle(size.edited).cpu / ours.cpu
        )
    if grows:
        _growth(made, sizes)
    made.notes.append("ours compares as many configurations and as many executions, terraform one resource")
    return made


def _growth(made: report.Report, sizes: list[Size]) -> None:
    """How CPU seconds grow: the line through all sizes, and whether an object more costs more at the end."""
    points = sorted((float(size.count), process.middle(size.same).cpu) for size in sizes)
    if len({count for count, _ in points}) < 2:
        return
    slope, start = linear_regression(*zip(*points, strict=True))
    steps = [(right[1] - left[1]) / (right[0] - left[0]) for left, right in pairwise(points)]
    if steps[1:]:
        made.ratios["CPU seconds for an object more: last / first"] = steps[-1] / steps[0]
    made.notes.append(f"CPU seconds of ours = {start:.2f} + {1000 * slope:.3f} for each 1,000")


def _figures(costs: list[process.Cost]) -> dict[str, float | int | str]:
    cost = process.middle(costs)
    return {"seconds": cost.seconds, "CPU seconds": cost.cpu, "MB": cost.memory}


if __name__ == "__main__":
    raise SystemExit(main())
