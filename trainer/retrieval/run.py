"""The entry point of ``triplet-distance-learning-train``: light until the data are known to be sound."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from trainer.data.folders import select_folders
from trainer.data.load import load_dataset
from trainer.data.records import Dataset
from trainer.errors import DatasetError
from trainer.logs import log_to_stdout
from trainer.parameters.retrieval import RetrievalParameters
from trainer.training.process import prepare_torch, quieten_libraries


def train(parameters: RetrievalParameters, datain: Path, trainedmodel: Path) -> int:
    """Train on ``datain`` and write the model folder; 0 when it is complete.

    Raises ``InputError`` (exit 2) for data or parameters that cannot be trained on, before torch is even
    loaded, and ``TrainerError`` (exit 1) for everything else that was foreseen.
    """
    log_to_stdout()
    dataset = load_pairs(datain, parameters)
    prepare_torch()
    from trainer.retrieval.training import RetrievalTraining

    quieten_libraries()
    RetrievalTraining(parameters, dataset, datain, trainedmodel).run()
    return 0


def load_pairs(datain: Path, parameters: RetrievalParameters) -> Dataset:
    """A sound dataset with pictures to bring together. Raises ``DatasetError``."""
    dataset = load_dataset(datain, parameters, select_folders)
    counts = Counter(picture.boxes[0].label for picture in dataset.splits["train"])
    if max(counts.values()) < 2:
        raise DatasetError(f"dataset {datain} rejected: no class has two pictures in train")
    return dataset
