"""The table of metrics is a pure function of what executions have tracked."""

from __future__ import annotations

from corespec.scores import scores
from reconciler.live import Metric, Metrics


def _metric(name: str, value: float, step: int, split: str = "test") -> Metric:
    return Metric(name, value, step, None, {"data_split": split})


RUN = Metrics(
    "e1",
    (
        _metric("loss", 2.0, 10, "train"),
        _metric("mAP/allClasses", 0.5, 10, "validation"),
        _metric("mAP/allClasses", 0.9, 20, "validation"),
        _metric("mAP/10", 0.7, 20),
        _metric("mAP/2", 0.8, 20),
        _metric("mAP/dog", 0.6, 20),
        _metric("mAP/allClasses", 0.95, 20),
        _metric("reading_accuracy", 0.4, 20),
    ),
)


def test_rows_begin_with_all_classes_and_follow_the_numbers() -> None:
    """allClasses first, then classes in the order of their numbers, then what is no mAP; no loss."""
    assert scores([("baseline", RUN)]).metrics == (
        "mAP/allClasses",
        "mAP/dog",
        "mAP/2",
        "mAP/10",
        "reading_accuracy",
    )


def test_the_last_step_counts() -> None:
    """A figure of an earlier evaluation is not the result."""
    (validation, test) = scores([("baseline", RUN)]).columns
    assert (validation.split, validation.values) == ("validation", {"mAP/allClasses": 0.9})
    assert test.values["mAP/allClasses"] == 0.95


def test_everything_shows_the_course_of_the_training_too() -> None:
    """--all adds loss, learning rate and speed."""
    found = scores([("baseline", RUN)], everything=True)
    assert "loss" in found.metrics
    assert [column.split for column in found.columns] == ["train", "validation", "test"]


def test_the_best_of_several_executions_is_known_for_each_row() -> None:
    """Comparing configurations needs no calculator; a single execution has no best."""
    other = Metrics("e2", (_metric("mAP/allClasses", 0.97, 20), _metric("mAP/2", 0.1, 20)))
    both = scores([("baseline", RUN), ("sweep", other)])
    assert both.best("mAP/allClasses", "test") == 0.97
    assert both.best("mAP/2", "test") == 0.8
    assert both.best("mAP/allClasses", "validation") is None
    assert scores([("baseline", RUN)]).best("mAP/2", "test") is None


def test_the_document_groups_splits_by_execution() -> None:
    """`-o json`: one entry for each execution, its splits inside."""
    document = scores([("baseline", RUN)]).document()
    assert [entry["execution"] for entry in document["executions"]] == ["e1"]
    assert set(document["executions"][0]["splits"]) == {"validation", "test"}


def test_nothing_tracked_is_an_empty_table() -> None:
    """An execution that has measured nothing yet is no error."""
    assert scores([("baseline", Metrics("e1"))]).columns == ()
