"""The one call the training makes: a sound dataset, or an error that names every fault."""

from __future__ import annotations

from pathlib import Path

from trainer.data.check import Select, inspect
from trainer.data.forms import select
from trainer.data.records import Dataset
from trainer.data.report import Report, counted
from trainer.errors import DatasetError
from trainer.parameters.common import DataParameters


def load_dataset(datain: Path, parameters: DataParameters, find: Select = select) -> Dataset:
    """Check ``datain`` and return its splits.

    Raises ``DatasetError`` (exit 2) if the dataset is refused; ``problems`` has one line per finding.
    """
    inspection = inspect(datain, parameters, find)
    if inspection.dataset is None:
        raise dataset_error(datain, inspection.report)
    return inspection.dataset


def dataset_error(datain: Path, report: Report) -> DatasetError:
    """The report as an error whose message is one line: how many faults, the first, and the way on."""
    files = len({finding.file for finding in report.errors})
    skippable = all(finding.level == "picture" for finding in report.errors)
    remedy = (
        "mend them, or set bad_data=skip to leave those pictures out" if skippable else "mend the dataset"
    )
    count = f"{counted(len(report.errors), 'fault')} in {counted(files, 'file')}"
    message = f"dataset {datain} rejected: {count}; first: {report.errors[0]}; {remedy}"
    return DatasetError(message, [str(finding) for finding in report.errors])
