"""Figures of the server in the text format of Prometheus (0.0.4).

They are touched on the event loop alone, so they need no lock. Labels have few values, all of them ours:
labels of models, verbs, statuses; never a path or a name that a client chose.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
PICTURES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)

Labels = tuple[str, ...]


class Counter:
    """Only grows."""

    def __init__(self, name: str, about: str, *labels: str) -> None:
        self._name, self._about, self._labels = name, about, labels
        self._samples: defaultdict[Labels, float] = defaultdict(float)

    def add(self, *values: str, amount: float = 1.0) -> None:
        """Count ``amount`` more under these values of the labels."""
        self._samples[values] += amount

    def lines(self) -> Iterator[str]:
        """The family as text; a counter without labels is there from the beginning."""
        yield from _head(self._name, self._about, "counter")
        samples = self._samples if self._labels else {(): self._samples.get((), 0.0)}
        for values, number in sorted(samples.items()):
            yield f"{self._name}{_labels(self._labels, values)} {_number(number)}"


class Gauge:
    """What is now, read when it is asked for."""

    def __init__(
        self, name: str, about: str, *labels: str, read: Callable[[], Mapping[Labels, float]]
    ) -> None:
        self._name, self._about, self._labels, self._read = name, about, labels, read

    def lines(self) -> Iterator[str]:
        """The family as text."""
        yield from _head(self._name, self._about, "gauge")
        for values, number in sorted(self._read().items()):
            yield f"{self._name}{_labels(self._labels, values)} {_number(number)}"


class Histogram:
    """How often values fell below each of ``bounds``."""

    def __init__(self, name: str, about: str, bounds: Sequence[float], *labels: str) -> None:
        self._name, self._about, self._bounds, self._labels = name, about, tuple(bounds), labels
        self._counts: dict[Labels, list[int]] = {}
        self._sums: defaultdict[Labels, float] = defaultdict(float)

    def observe(self, value: float, *values: str) -> None:
        """Count one value under these values of the labels."""
        counts = self._counts.setdefault(values, [0] * (len(self._bounds) + 1))
        counts[bisect_left(self._bounds, value)] += 1
        self._sums[values] += value

    def lines(self) -> Iterator[str]:
        """The family as text: cumulative buckets, sum and count."""
        yield from _head(self._name, self._about, "histogram")
        for values, counts in sorted(self._counts.items()):
            total = 0
            for bound, count in zip((*map(_number, self._bounds), "+Inf"), counts, strict=True):
                total += count
                labels = _labels((*self._labels, "le"), (*values, bound))
                yield f"{self._name}_bucket{labels} {total}"
            labels = _labels(self._labels, values)
            yield f"{self._name}_sum{labels} {_number(self._sums[values])}"
            yield f"{self._name}_count{labels} {total}"


class Meters:
    """Everything the server counts."""

    def __init__(self) -> None:
        self.requests = Counter(
            "model_serving_requests_total", "Requests answered, by HTTP status.", "model", "verb", "code"
        )
        self.seconds = Histogram(
            "model_serving_request_seconds",
            "Seconds from a request's first line to the end of its answer.",
            SECONDS,
            "model",
            "verb",
        )
        self.batches = Histogram(
            "model_serving_batch_pictures", "Pictures that the network computed at once.", PICTURES, "model"
        )
        self.refused = Counter(
            "model_serving_refused_total",
            "Requests refused by a limit: size, pixels, pictures, queue or time.",
            "limit",
        )
        self.reloads = Counter(
            "model_serving_reloads_total",
            "Changed models that were taken (ok) or refused (failed).",
            "model",
            "outcome",
        )
        self.gauges: list[Gauge] = []

    def text(self) -> str:
        """The page that Prometheus reads."""
        families: tuple[Counter | Histogram | Gauge, ...] = (
            self.requests, self.seconds, self.batches, self.refused, self.reloads, *self.gauges
        )  # fmt: skip
        return "".join(f"{line}\n" for family in families for line in family.lines())


def _head(name: str, about: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"


def _labels(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)
