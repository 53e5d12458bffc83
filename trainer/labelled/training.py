"""What the trainings on class folders add to a training as such."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from trainer.data.records import SplitName
from trainer.detection.reading import are_characters
from trainer.inference.card import FORMAT_VERSION
from trainer.labelled.input_size import CPU_PIXELS, GPU_PIXELS, choose_input_size
from trainer.labelled.network import PooledConfig
from trainer.labelled.pictures import LabelledSet
from trainer.labelled.preparation import CHANGES, Preparation
from trainer.parameters.common import TrainingParameters
from trainer.parameters.scheme import Switch
from trainer.training.run import Metrics, TrainingRun, switched


class LabelledParameters(TrainingParameters, Protocol):
    """What these trainings depend on."""

    @property
    def input_width(self) -> int: ...
    @property
    def input_height(self) -> int: ...
    @property
    def projection_layers(self) -> tuple[int, ...]: ...
    @property
    def additional_augmentations(self) -> bool: ...
    @property
    def horizontal_flip(self) -> Switch: ...


Parameters = TypeVar("Parameters", bound=LabelledParameters)


class LabelledTraining(TrainingRun[Parameters]):
    """Chooses size, network and changes for pictures with one class each."""

    def choose_size(self) -> tuple[int, int]:
        """That of the pictures, within what the machine can take."""
        return choose_input_size(
            self.dataset.splits["train"],
            self.parameters.input_width,
            self.parameters.input_height,
            CPU_PIXELS if self.accelerator == "cpu" else GPU_PIXELS,
        )

    def make_sets(self) -> dict[SplitName, LabelledSet]:
        """Every split in use."""
        return {
            split: LabelledSet(pictures, self.dataset.classes, self.size)
            for split, pictures in self.dataset.splits.items()
        }

    def network_config(self, outputs: int) -> PooledConfig:
        """The network for this input."""
        return PooledConfig.fitting(outputs, self.size, self.parameters.projection_layers)

    def preparation(self) -> Preparation:
        """Nothing is mirrored by itself where classes are digits or letters."""
        parameters = self.parameters
        return Preparation(
            parameters.seed,
            CHANGES if parameters.additional_augmentations else None,
            switched(parameters.horizontal_flip, not are_characters(self.dataset.classes)),
        )

    def document(
        self, task: str, outputs: Mapping[str, str], config: PooledConfig, metrics: Metrics
    ) -> dict[str, Any]:
        """The content of ``model.json``, but for the versions."""
        origin = self.described()
        return {
            "format_version": FORMAT_VERSION,
            "task": task,
            "classes": list(self.dataset.classes),
            "input": {"width": self.size[0], "height": self.size[1], "layout": "uint8 NCHW RGB, letterboxed"},
            "outputs": dict(outputs),
            "network": {"name": "compact", **config.as_dict()},
            "parameters": origin["parameters"],
            "dataset": {"fingerprint": origin["fingerprint"], "pictures": origin["pictures"]},
            "metrics": {split: dict(values) for split, values in metrics.items()},
            "training": origin["training"],
        }
