"""Ranking executions: what differs, what was measured, which is best."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from corespec.comparison import as_csv, as_markdown
from reconciler.compare import Measured, compare
from reconciler.live import Configuration, Execution, Metric, Metrics

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def measured(
    name: str, parameters: Mapping[str, str], *figures: tuple[str, float, int, str], run: str = ""
) -> Measured:
    """Figures are (metric, value, step, split)."""
    execution = run or f"e-{name}"
    values = tuple(
        Metric(metric, value, step, None, {"data_split": split}) for metric, value, step, split in figures
    )
    return Measured(
        Execution(execution, f"c-{name}", name, "s", "x", "COMPLETED", "COMPLETED", NOW, NOW),
        Configuration(f"c-{name}", name, "s", "x", NOW, parameters),
        Metrics(execution, values),
    )


SLOW = measured(
    "slow", {"rate": "0.1", "seed": "1"}, ("mAP/allClasses", 0.7, 10, "test"), ("loss", 2, 10, "")
)
FAST = measured("fast", {"rate": "0.2", "seed": "1"}, ("mAP/allClasses", 0.8, 10, "test"))
NONE = measured("none", {"rate": "0.3", "seed": "1"})


def test_the_best_comes_first_and_those_without_the_metric_last() -> None:
    found = compare([NONE, SLOW, FAST])
    assert [row.configuration for row in found.rows] == ["fast", "slow", "none"]
    assert [item["rank"] for item in found.document()["executions"]] == [1, 2, None]


def test_only_parameters_that_differ_are_columns() -> None:
    assert compare([SLOW, FAST]).parameters == ("rate",)
    assert compare([SLOW]).parameters == ()


def test_the_last_step_of_the_split_that_says_most_counts() -> None:
    """Test before validation; a figure of an earlier step that arrives later is still the earlier one."""
    item = measured(
        "a",
        {},
        ("mAP/allClasses", 0.9, 20, "validation"),
        ("mAP/allClasses", 0.6, 20, "test"),
        ("mAP/allClasses", 0.5, 10, "test"),
    )
    (row,) = compare([item]).rows
    assert (row.split, row.values) == ("test", {"mAP/allClasses": 0.6})
    (row,) = compare([item], split="validation").rows
    assert row.values == {"mAP/allClasses": 0.9}


def test_figures_per_class_and_of_the_course_are_asked_for() -> None:
    item = measured("a", {}, ("mAP/7", 0.5, 1, "test"), ("coco/mAP", 0.4, 1, "test"), ("loss", 1, 1, "test"))
    assert compare([item]).metrics == ("coco/mAP",)
    assert set(compare([item], everything=True).metrics) == {"coco/mAP", "mAP/7", "loss"}
    assert compare([item], ranked_by="mAP/7").metrics == ("mAP/7", "coco/mAP")


def test_a_loss_is_better_when_it_is_lower() -> None:
    low = measured("low", {}, ("loss", 0.1, 1, "test"))
    high = measured("high", {}, ("loss", 0.2, 1, "test"))
    found = compare([high, low], ranked_by="loss")
    assert [row.configuration for row in found.rows] == ["low", "high"]
    assert found.best("loss") == 0.1


def test_more_hits_among_the_nearest_are_better() -> None:
    """`rank_rate_k` counts hits; taking it for a distance would promote the worst model."""
    few = measured("few", {}, ("rank_rate_5", 0.4, 1, "test"))
    many = measured("many", {}, ("rank_rate_5", 0.9, 1, "test"))
    found = compare([few, many], ranked_by="rank_rate_5")
    assert [row.configuration for row in found.rows] == ["many", "few"]


def test_what_is_no_number_ranks_nothing() -> None:
    broken = measured("broken", {}, ("mAP/allClasses", float("nan"), 1, "test"))
    assert [row.configuration for row in compare([broken, SLOW]).rows] == ["slow", "broken"]


def test_a_spreadsheet_gets_every_digit_and_no_formula() -> None:
    evil = measured("=cmd()", {"rate": "-0.5"}, ("mAP/allClasses", 0.123456789, 1, "test"))
    rows = list(csv.reader(io.StringIO(as_csv(compare([evil, FAST])))))
    assert rows[0] == ["rank", "configuration", "execution", "split", "rate", "seed", "mAP/allClasses"]
    assert rows[2][:2] == ["2", "'=cmd()"]
    assert rows[2][4:] == ["-0.5", "", "0.123456789"]


def test_markdown_marks_the_best_and_cannot_be_broken() -> None:
    evil = measured("a|b\n<img>", {"rate": "x"}, ("mAP/allClasses", 0.9, 1, "test"))
    lines = as_markdown(compare([evil, FAST])).splitlines()
    assert "**0.900**" in lines[2]
    assert "a\\|b &lt;img>" in lines[2]
    assert len(lines) == 4


@given(st.permutations([SLOW, FAST, NONE]))
def test_the_order_of_the_executions_changes_nothing(items: list[Measured]) -> None:
    assert compare(items) == compare([SLOW, FAST, NONE])
