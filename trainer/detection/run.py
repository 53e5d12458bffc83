"""The entry point of ``object-detection-train``: light until the data are known to be sound."""

from __future__ import annotations

from pathlib import Path

from trainer.data.load import load_dataset
from trainer.logs import log_to_stdout
from trainer.parameters.detection import DetectionParameters
from trainer.training.process import prepare_torch, quieten_libraries


def train(parameters: DetectionParameters, datain: Path, trainedmodel: Path) -> int:
    """Train on ``datain`` and write the model folder; 0 when it is complete.

    Raises ``InputError`` (exit 2) for data or parameters that cannot be trained on, before torch is even
    loaded, and ``TrainerError`` (exit 1) for everything else that was foreseen.
    """
    log_to_stdout()
    dataset = load_dataset(datain, parameters)
    prepare_torch()
    from trainer.detection.training import DetectionTraining

    quieten_libraries()
    DetectionTraining(parameters, dataset, datain, trainedmodel).run()
    return 0
