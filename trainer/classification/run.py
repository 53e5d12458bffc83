"""The entry point of ``image-classification-train``: light until the data are known to be sound."""

from __future__ import annotations

from pathlib import Path

from trainer.data.folders import select_folders
from trainer.data.load import load_dataset
from trainer.logs import log_to_stdout
from trainer.parameters.classification import ClassificationParameters
from trainer.training.process import prepare_torch, quieten_libraries


def train(parameters: ClassificationParameters, datain: Path, trainedmodel: Path) -> int:
    """Train on ``datain`` and write the model folder; 0 when it is complete.

    Raises ``InputError`` (exit 2) for data or parameters that cannot be trained on, before torch is even
    loaded, and ``TrainerError`` (exit 1) for everything else that was foreseen.
    """
    log_to_stdout()
    dataset = load_dataset(datain, parameters, select_folders)
    prepare_torch()
    from trainer.classification.training import ClassificationTraining

    quieten_libraries()
    ClassificationTraining(parameters, dataset, datain, trainedmodel).run()
    return 0
