"""The training of a larger detector: another network in the same training."""

from __future__ import annotations

from typing_extensions import override

from trainer.detection.export import write_model
from trainer.detection.pretrained.catalogue import BLUEPRINTS
from trainer.detection.pretrained.loading import build
from trainer.detection.pretrained.module import Deployed, PretrainedModule
from trainer.detection.training import DetectionTraining
from trainer.training.hardware import Precision
from trainer.training.module import Recipe
from trainer.training.run import Metrics


class PretrainedTraining(DetectionTraining):
    """Trains a detector of the `transformers` library, from published weights or from nothing."""

    title = "pretrained detector"
    module: PretrainedModule

    @override
    def choose_precision(self) -> Precision:
        """Full unless told otherwise: the matching of objects needs it."""
        return "32-true" if self.parameters.precision == "auto" else super().choose_precision()

    @override
    def recipe(self) -> Recipe:
        """One replica: the library's networks are large enough to keep all cores busy."""
        return super().recipe()._replace(replicas=1)

    @override
    def make_module(self) -> PretrainedModule:
        parameters, classes = self.parameters, self.dataset.classes
        network = build(parameters.model_name, classes, self.size, parameters.weights, self.datain)
        return PretrainedModule(network, classes, self.recipe(), **self.module_options())

    @override
    def load_weights(self) -> None:
        """They are there since the network was built."""

    @override
    def write_model(self, metrics: Metrics) -> None:
        """Weights and ``config.json`` as the library knows them, ONNX with decoding, and the description."""
        network = self.module.network
        network.config.to_json_file(self.folder / "config.json", use_diff=True)
        name = self.parameters.model_name
        published = self.parameters.weights or BLUEPRINTS[name].published
        card = self.card({"name": name, "queries": network.config.num_queries, "from": published}, metrics)
        write_model(network, Deployed(network), card, self.folder, strict=True)
