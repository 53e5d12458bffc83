"""Which workflows there are: their folders, parameters and what runs them. Nothing heavy is imported."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.parameters import batch, classification, detection, retrieval, serving
from trainer.parameters.table import ParameterTable


@dataclass(frozen=True, slots=True)
class Workflow:
    """One verb: its folders as (option, help), and the function that gets parameters and options."""

    table: ParameterTable[Any]
    help: str
    folders: tuple[tuple[str, str], ...]
    run: Callable[[Any, argparse.Namespace], int]
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.table.workflow

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the folders."""
        for option, text in self.folders:
            parser.add_argument(option, type=Path, required=True, help=text)
        if self.name == serving.TABLE.workflow:
            _add_serving_arguments(parser)


def _add_serving_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models", metavar="PATHS", help="the parameter models, unless TRAINER_MODELS gives it"
    )
    parser.add_argument("--port", type=int, default=53547, help="port to listen on (default: 53547)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1; a container needs 0.0.0.0 to be reached)",
    )


def _train_detector(parameters: detection.DetectionParameters, options: argparse.Namespace) -> int:
    from trainer.detection.run import train

    return train(parameters, options.datain, options.trainedmodel)


def _train_classifier(
    parameters: classification.ClassificationParameters, options: argparse.Namespace
) -> int:
    from trainer.classification.run import train

    return train(parameters, options.datain, options.trainedmodel)


def _train_embedder(parameters: retrieval.RetrievalParameters, options: argparse.Namespace) -> int:
    from trainer.retrieval.run import train

    return train(parameters, options.datain, options.trainedmodel)


def _process_pictures(parameters: batch.BatchParameters, options: argparse.Namespace) -> int:
    from trainer.batch.run import run

    return run(parameters, options.datain, options.modelin, options.results)


def _serve(parameters: serving.ServingParameters, options: argparse.Namespace) -> int:
    from trainer.serving.run import run

    return run(parameters, options.host, options.port)


_TRAINING = (("--datain", "the dataset"), ("--trainedmodel", "folder the model is written to"))

WORKFLOWS: dict[str, Workflow] = {
    workflow.name: workflow
    for workflow in (
        Workflow(detection.TABLE, "train a detector on a Pascal VOC folder", _TRAINING, _train_detector),
        Workflow(
            classification.TABLE,
            "train a classifier on one folder per class",
            _TRAINING,
            _train_classifier,
        ),
        Workflow(
            retrieval.TABLE,
            "train embeddings that find pictures of the same class",
            _TRAINING,
            _train_embedder,
        ),
        Workflow(
            batch.TABLE,
            "run a model over a folder or archive of pictures",
            (
                ("--datain", "pictures: a folder, or one that holds zip or tar archives"),
                ("--modelin", "the model folder"),
                ("--results", "folder the results are written to"),
            ),
            _process_pictures,
        ),
        Workflow(serving.TABLE, "answer HTTP requests with models", (), _serve, ("serve",)),
    )
}
