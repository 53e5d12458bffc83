"""A small fixed set of figures in the text format of Prometheus (0.0.4).

One process, one set: `METERS`. Names are those of `docs/operate.md`; labels have few values, all of them
ours: never an address, a name from a spec or a path.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from reconciler.health import Health

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Upper bounds of the buckets of a round's duration, seconds.
BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class _Family:
    """One metric with at most one label; may be used from several threads."""

    kind = "gauge"

    def __init__(self, name: str, about: str, label: str = "", values: Iterable[str] = ()) -> None:
        """`values` are shown from the beginning with 0: an alert cannot see what is not there."""
        self.name, self.about, self._label = name, about, label
        self._lock = threading.Lock()
        self._samples: dict[str, float] = dict.fromkeys(values if label else ("",), 0.0)

    def value(self, label: str = "") -> float:
        with self._lock:
            return self._samples.get(label, 0.0)

    def lines(self) -> list[str]:
        with self._lock:
            samples = sorted(self._samples.items())
        return [f"{self.name}{_labels(self._label, value)} {_number(number)}" for value, number in samples]


class Counter(_Family):
    """Only grows."""

    kind = "counter"

    def add(self, label: str = "", amount: float = 1.0) -> None:
        with self._lock:
            self._samples[label] = self._samples.get(label, 0.0) + amount


class Gauge(_Family):
    """What is now."""

    def set(self, number: float) -> None:
        with self._lock:
            self._samples[""] = number

    def replace(self, numbers: Mapping[str, float]) -> None:
        """All values at once; a label value that is not named becomes 0."""
        with self._lock:
            self._samples = {**dict.fromkeys(self._samples, 0.0), **numbers}


class Histogram:
    """How long things take, seconds."""

    kind = "histogram"

    def __init__(self, name: str, about: str, bounds: Sequence[float] = BUCKETS) -> None:
        self.name, self.about, self._bounds = name, about, tuple(bounds)
        self._lock = threading.Lock()
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        place = sum(seconds > bound for bound in self._bounds)
        with self._lock:
            self._counts[place] += 1
            self._sum += seconds

    def lines(self) -> list[str]:
        with self._lock:
            counts, total = list(self._counts), self._sum
        shown, reached = [], 0
        for bound, count in zip((*map(_number, self._bounds), "+Inf"), counts, strict=True):
            reached += count
            shown.append(f"{self.name}_bucket{_labels('le', bound)} {reached}")
        return [*shown, f"{self.name}_sum {_number(total)}", f"{self.name}_count {reached}"]


class Meters:
    """Every figure of the reconciler."""

    def __init__(self) -> None:
        results = ("ok", "transient", "terminal", "locked")
        self.rounds = Counter("corespec_reconcile_total", "Rounds by how they ended.", "result", results)
        self.duration = Histogram("corespec_reconcile_duration_seconds", "How long rounds took.")
        self.drift = Gauge("corespec_drift_objects", "Objects that AI Core does not hold as Git wants them.")
        self.objects = Gauge(
            "corespec_objects", "Objects by health.", "health", [health.value for health in Health]
        )
        self.launches = Counter("corespec_launches_total", "Executions that were started.")
        self.requests = Counter(
            "corespec_api_requests_total", "Answers of AI Core by status code; `none` is no answer.", "code"
        )
        self.retries = Counter("corespec_retries_total", "Requests to AI Core that were sent again.")
        self.last_success = Gauge(
            "corespec_last_success_timestamp", "When a round last ended well, Unix time, seconds."
        )

    def text(self) -> str:
        """The page that Prometheus reads."""
        families = (family for family in vars(self).values() if isinstance(family, _Family | Histogram))
        lines: list[str] = []
        for family in families:
            lines += [f"# HELP {family.name} {family.about}", f"# TYPE {family.name} {family.kind}"]
            lines += family.lines()
        return "\n".join(lines) + "\n"


METERS = Meters()


def _labels(name: str, value: str) -> str:
    return f'{{{name}="{value}"}}' if name else ""


def _number(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)
