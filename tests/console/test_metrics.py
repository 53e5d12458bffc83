"""Metric tables, chart groups and comparisons: pure functions over canned values."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from console import compare, metrics
from console.port import ArtifactLink, Execution, ExecutionDetail, Metric


def series(name: str, *values: float, split: str = "validation") -> tuple[Metric, ...]:
    """Values of one metric at steps 10, 20, and so on."""
    return tuple(Metric(name, value, 10 * (index + 1), split=split) for index, value in enumerate(values))


def run(run_id: str, configuration: str = "baseline", **parameters: str) -> ExecutionDetail:
    """A completed execution with the given parameters."""
    execution = Execution(run_id, configuration, "COMPLETED", datetime(2026, 1, 1, tzinfo=UTC))
    return ExecutionDetail(execution, parameters)


def test_a_row_shows_the_last_value_and_where_the_best_was() -> None:
    """A training that got worse at its end shows both facts."""
    (row,) = metrics.table(series("mAP/allClasses", 0.4, 0.9, 0.7))
    assert (row.last.value, row.best and row.best.value, row.best and row.best.step) == (0.7, 0.9, 20)


def test_the_best_loss_is_the_smallest() -> None:
    """Direction belongs to the metric's name."""
    (row,) = metrics.table(series("loss", 3.0, 0.5, 0.8))
    assert row.best
    assert row.best.value == 0.5


@pytest.mark.parametrize("name", ["learning_rate", "images_per_second"])
def test_neutral_metrics_have_no_best(name: str) -> None:
    """Nobody wins by a larger learning rate."""
    (row,) = metrics.table(series(name, 0.1, 0.2))
    assert row.best is None


def test_a_nan_is_never_the_best() -> None:
    """max() over NaN depends on the order; ours does not."""
    (row,) = metrics.table(series("mAP/allClasses", math.nan, 0.3))
    assert row.best
    assert row.best.value == 0.3


def test_headline_figures_come_first_and_classes_in_natural_order() -> None:
    """mAP/10 stands after mAP/9, and both after the figures over all classes."""
    values = [
        *series("mAP/10", 0.1),
        *series("mAP/9", 0.1),
        *series("loss", 1.0),
        *series("mAP/allClasses", 0.1),
    ]
    assert [row.name for row in metrics.table(values)] == ["mAP/allClasses", "loss", "mAP/9", "mAP/10"]


def test_charts_are_grouped_as_a_person_reads_them() -> None:
    """All classes, then each class, then other shares of 1, then how the training went."""
    names = ("loss", "mAP/7", "reading_accuracy", "mAP/allClasses", "coco/mAP", "learning_rate")
    values = [value for name in names for value in series(name, 0.1)]
    titles = [
        (group.title, [chart.title for chart in group.charts]) for group in metrics.chart_groups(values)
    ]
    assert titles == [
        ("Mean average precision", ["mAP/allClasses"]),
        ("Precision by class", ["mAP/7"]),
        ("Other measures of quality", ["coco/mAP", "reading_accuracy"]),
        ("Training", ["loss", "learning_rate"]),
    ]


def test_splits_of_a_metric_are_lines_of_one_chart() -> None:
    """Validation and test stand in the same picture, the curve before the single figure."""
    values = [*series("mAP/allClasses", 0.1, 0.2), *series("mAP/allClasses", 0.3, split="test")]
    (group,) = metrics.chart_groups(values)
    assert [line.name for line in group.charts[0].lines] == ["validation", "test"]


def test_nothing_measured_means_no_charts() -> None:
    """Empty groups are not shown as empty boxes."""
    assert metrics.chart_groups(()) == ()


def test_values_without_a_step_keep_their_order() -> None:
    """A foreign trainer that sends no steps still gets its curve."""
    values = [Metric("loss", value) for value in (3.0, 2.0, 1.0)]
    (group,) = metrics.chart_groups(values)
    assert [marker.text for marker in group.charts[0].lines[0].markers] == [
        "loss: 3 at step 0",
        "loss: 2 at step 1",
        "loss: 1 at step 2",
    ]


def test_comparison_names_only_the_parameters_that_differ() -> None:
    """What is the same in all goes out of the way."""
    pairs = [(run("e001", rate="0.1", seed="1"), ()), (run("e002", rate="0.2", seed="1"), ())]
    found = compare.compare(pairs)
    assert found.differing == {"rate": ("0.1", "0.2")}
    assert found.same == {"seed": "1"}


def test_a_parameter_that_one_run_lacks_differs() -> None:
    """Absent is not the same as equal."""
    found = compare.compare([(run("e001", rate="0.1"), ()), (run("e002"), ())])
    assert found.differing == {"rate": ("0.1", None)}


def test_another_dataset_is_a_difference() -> None:
    """Inputs count as parameters: nobody compares models trained on different pictures unawares."""
    old, new = (
        ExecutionDetail(run(name).execution, {}, (ArtifactLink("datain", name, "dataset", "ai://d/x"),))
        for name in ("digits-1", "digits-2")
    )
    assert compare.compare([(old, ()), (new, ())]).differing == {"input datain": ("digits-1", "digits-2")}


def test_the_best_of_a_column_is_marked_in_its_own_direction() -> None:
    """Largest mAP, smallest loss."""
    first = [*series("mAP/allClasses", 0.8), *series("loss", 0.2)]
    second = [*series("mAP/allClasses", 0.9), *series("loss", 0.3)]
    accuracy, loss = compare.compare([(run("e001"), first), (run("e002"), second)]).headline
    assert [cell.best for cell in accuracy.cells] == [False, True]
    assert [cell.best for cell in loss.cells] == [True, False]


def test_without_a_rival_nothing_is_best() -> None:
    """A star for the only value, or for equal values, would say nothing."""
    alone = compare.compare([(run("e001"), series("mAP/allClasses", 0.8))]).headline[0]
    equal = compare.compare(
        [(run("e001"), series("mAP/allClasses", 0.8)), (run("e002"), series("mAP/allClasses", 0.8))]
    ).headline[0]
    assert not any(cell.best for cell in (*alone.cells, *equal.cells))


def test_figures_of_different_splits_are_never_put_side_by_side() -> None:
    """A running training has no test figure yet; both columns then show validation."""
    done = [*series("mAP/allClasses", 0.8), *series("mAP/allClasses", 0.95, split="test")]
    busy = series("mAP/allClasses", 0.85)
    (column,) = compare.compare([(run("e001"), done), (run("e002"), busy)]).headline
    assert column.split == "validation"
    assert [cell.value for cell in column.cells] == [0.8, 0.85]


def test_the_test_split_is_preferred_where_all_have_it() -> None:
    """The figure that counts is the one on data the training never saw."""
    values = [*series("mAP/allClasses", 0.8), *series("mAP/allClasses", 0.75, split="test")]
    (column,) = compare.compare([(run("e001"), values), (run("e002"), values)]).headline
    assert column.split == "test"


def test_splits_with_other_names_are_compared_too() -> None:
    """A foreign trainer may call its data as it likes."""
    (column,) = compare.compare([(run("e001"), series("accuracy", 0.5, split="holdout"))]).headline
    assert (column.split, column.cells[0].value) == ("holdout", 0.5)


def test_the_overlay_takes_the_split_with_the_longer_curve() -> None:
    """The test split is measured once and makes no curve."""
    values = [*series("mAP/allClasses", 0.6, 0.8), *series("mAP/allClasses", 0.75, split="test")]
    chart = compare.compare([(run("e001"), values), (run("e002"), values)]).chart
    assert chart.title == "mAP/allClasses (validation)"
    assert [len(line.markers) for line in chart.lines] == [2, 2]


def test_two_runs_of_one_configuration_are_told_apart_by_id() -> None:
    """A legend with the same name twice would be useless."""
    values = series("mAP/allClasses", 0.8)
    chart = compare.compare([(run("e001"), values), (run("e002"), values)]).chart
    assert [line.name for line in chart.lines] == ["baseline e001", "baseline e002"]
