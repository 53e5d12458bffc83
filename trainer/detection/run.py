"""The entry point of ``object-detection-train``: light until the data are known to be sound."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.data.load import load_dataset
from trainer.detection.pretrained.catalogue import BLUEPRINTS
from trainer.errors import ParameterError
from trainer.logs import log_to_stdout
from trainer.parameters.detection import DetectionParameters
from trainer.training.process import prepare_torch, quieten_libraries

if TYPE_CHECKING:
    from trainer.detection.training import DetectionTraining


def train(parameters: DetectionParameters, datain: Path, trainedmodel: Path) -> int:
    """Train on ``datain`` and write the model folder; 0 when it is complete.

    Raises ``InputError`` (exit 2) for data or parameters that cannot be trained on, before torch is even
    loaded, and ``TrainerError`` (exit 1) for everything else that was foreseen.
    """
    log_to_stdout()
    larger = parameters.model_name in BLUEPRINTS
    if larger and not (find_spec("transformers") and find_spec("scipy")):
        raise ParameterError(
            [f"parameter model_name: {parameters.model_name} needs more: pip install 'corespec[pretrained]'"]
        )
    dataset = load_dataset(datain, parameters)
    prepare_torch()
    training = _training(larger=larger)
    quieten_libraries()
    training(parameters, dataset, datain, trainedmodel).run()
    return 0


def _training(*, larger: bool) -> type[DetectionTraining]:
    if larger:
        from trainer.detection.pretrained.training import PretrainedTraining

        return PretrainedTraining
    from trainer.detection.training import DetectionTraining

    return DetectionTraining
