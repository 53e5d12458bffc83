"""The figures are what Prometheus can read, and they count what happens."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.observability import BUCKETS, Histogram, Meters

LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([a-z]+)="([^"\\\n]*)"\})? (-?[0-9.e+-]+|\+Inf|NaN)$')


def samples(page: str) -> dict[tuple[str, str], float]:
    """(name, label value) -> number; every line has to be a comment or a sample of a declared family."""
    assert page.endswith("\n")
    found: dict[tuple[str, str], float] = {}
    declared: set[str] = set()
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert kind in {"counter", "gauge", "histogram"}
            assert name not in declared, "a family is declared once"
            declared.add(name)
        elif not line.startswith("# HELP "):
            matched = LINE.match(line)
            assert matched, line
            assert re.sub(r"_(bucket|sum|count)$", "", matched[1]) in declared
            key = (matched[1], matched[3] or "")
            assert key not in found, "a sample is given once"
            found[key] = float(matched[4])
    return found


def test_everything_is_there_from_the_beginning() -> None:
    """An alert on a counter that appears with the first failure misses the first failure."""
    found = samples(Meters().text())
    assert {name for name, _ in found} == {
        "corespec_reconcile_total",
        "corespec_reconcile_duration_seconds_bucket",
        "corespec_reconcile_duration_seconds_sum",
        "corespec_reconcile_duration_seconds_count",
        "corespec_drift_objects",
        "corespec_objects",
        "corespec_launches_total",
        "corespec_retries_total",
        "corespec_last_success_timestamp",
    }
    assert found["corespec_reconcile_total", "terminal"] == 0
    assert found["corespec_objects", "Degraded"] == 0


def test_what_happened_is_shown() -> None:
    meters = Meters()
    meters.rounds.add("ok")
    meters.requests.add("200", 3)
    meters.requests.add("none")
    meters.launches.add()
    meters.last_success.set(1764000000.25)
    meters.objects.replace({"Healthy": 4})
    meters.objects.replace({"Degraded": 1})
    found = samples(meters.text())
    assert found["corespec_reconcile_total", "ok"] == 1
    assert found["corespec_api_requests_total", "200"] == 3
    assert found["corespec_api_requests_total", "none"] == 1
    assert found["corespec_last_success_timestamp", ""] == 1764000000.25
    assert found["corespec_objects", "Healthy"] == 0
    assert found["corespec_objects", "Degraded"] == 1


@given(st.lists(st.floats(min_value=0, max_value=1e5)))
def test_a_histogram_counts_each_duration_once(durations: list[float]) -> None:
    """Buckets are cumulative, the last one holds all, and a bound belongs to its own bucket."""
    histogram = Histogram("x", "About.")
    for seconds in durations:
        histogram.observe(seconds)
    found = samples("# TYPE x histogram\n" + "\n".join(histogram.lines()) + "\n")
    for bound in BUCKETS:
        label = str(int(bound)) if bound == int(bound) else str(bound)
        assert found["x_bucket", label] == sum(seconds <= bound for seconds in durations)
    assert found["x_bucket", "+Inf"] == found["x_count", ""] == len(durations)
    assert found["x_sum", ""] == pytest.approx(sum(durations))
