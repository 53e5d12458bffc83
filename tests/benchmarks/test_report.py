"""Reports: the table people read, the JSON programs read, and what a ratio means."""

from __future__ import annotations

import argparse
import json

import pytest

from benchmarks.report import Report, Row, best_of, positive


def sample() -> Report:
    """Two contenders, a ratio and a peer that is missing."""
    made = Report("render", {"executables": 3})
    made.rows = [Row("ours", {"seconds": 0.5, "documents": 3}), Row("a peer", {"seconds": 1.25})]
    made.compare("peer / ours", 0.5, 1.25)
    made.skipped["other"] = "not on PATH"
    return made


def test_the_table_lines_up() -> None:
    """Figures stand right-aligned below their names; a missing one is a dash."""
    lines = sample().text().splitlines()
    assert lines[0] == "render  executables 3"
    assert lines[2:5] == [
        "        seconds  documents",
        "ours        0.5          3",
        "a peer     1.25          -",
    ]
    assert "peer / ours: 2.50" in lines
    assert "skipped other: not on PATH" in lines


def test_the_json_is_versioned_and_names_the_machine() -> None:
    """A figure without its machine says nothing."""
    document = json.loads(sample().json())
    assert document["format_version"] == 1
    assert document["machine"]["cpus"]
    assert document["ratios"] == {"peer / ours": 2.5}


def test_the_fastest_run_counts() -> None:
    """Work is done as often as asked for."""
    done: list[int] = []
    assert best_of(3, lambda: done.append(1)) >= 0
    assert len(done) == 3


@pytest.mark.parametrize("text", ["0", "-3"])
def test_sizes_are_above_zero(text: str) -> None:
    """A benchmark of nothing is refused at the command line."""
    with pytest.raises(argparse.ArgumentTypeError):
        positive(text)
