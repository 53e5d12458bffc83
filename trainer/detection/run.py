"""The entry point of ``object-detection-train``: light until the data are known to be sound."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from trainer.data.load import load_dataset
from trainer.logs import log_to_stdout
from trainer.parameters.detection import DetectionParameters


def train(parameters: DetectionParameters, datain: Path, trainedmodel: Path) -> int:
    """Train on ``datain`` and write the model folder; 0 when it is complete.

    Raises ``InputError`` (exit 2) for data or parameters that cannot be trained on, before torch is even
    loaded, and ``TrainerError`` (exit 1) for everything else that was foreseen.
    """
    log_to_stdout()
    dataset = load_dataset(datain, parameters)
    # Waiting threads that spin starve the others where cores are shared; OpenMP reads this once, on loading.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from trainer.torchvision_remedy import ensure_torchvision

    ensure_torchvision()
    from trainer.detection.training import Training

    for talkative in ("faster_coco_eval", "pytorch_lightning", "lightning_fabric", "onnxscript", "onnx_ir"):
        logging.getLogger(talkative).setLevel(logging.ERROR)  # some set their own level when imported
    Training(parameters, dataset, datain, trainedmodel).run()
    return 0
