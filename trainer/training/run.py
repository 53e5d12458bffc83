"""One training from a sound dataset to a complete model folder, whatever is learned."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.utilities.exceptions import SIGTERMException
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from trainer.data.records import Dataset, SplitName, dataset_fingerprint, write_splits
from trainer.errors import ParameterError, TrainerError
from trainer.parameters.common import TrainingParameters
from trainer.parameters.scheme import Switch
from trainer.report.evidence import Evidence, write_evidence
from trainer.report.page import write_report
from trainer.tracking import Tracker, connect
from trainer.training.averaging import AveragedWeights
from trainer.training.budget import Budget
from trainer.training.checkpoints import CheckpointFiles, Checkpoints, WorkFolder
from trainer.training.datamodule import TrainingData
from trainer.training.hardware import Precision, choose_accelerator, choose_devices, choose_precision
from trainer.training.limits import BudgetLimit
from trainer.training.module import Recipe, TrainedModule
from trainer.training.process import process_rank
from trainer.training.processes import ClockTicks, SharedClock
from trainer.training.progress import Reporter, Vocabulary
from trainer.training.replicas import replica_count
from trainer.training.sampler import StepSampler
from trainer.training.selection import BestWeights

logger = logging.getLogger(__name__)

GRADIENT_NORM = 10.0

RANDOM = "random"
"""Value of the parameter ``weights`` that starts from nothing."""

Parameters = TypeVar("Parameters", bound=TrainingParameters)
Metrics = Mapping[SplitName, Mapping[str, float]]


class StoppedError(TrainerError):
    """The training was told to stop before it was complete."""


class TrainingRun(ABC, Generic[Parameters]):
    """Wires data, module, callbacks and trainer together from the parameters, and runs them.

    A subclass chooses the input ``size`` (width, height), makes module and data, and writes the model folder.
    """

    title: ClassVar[str]
    """What the log calls the network."""
    watched: ClassVar[str]
    """Metric on validation whose standstill ends a training early."""
    best: ClassVar[str]
    """Metric on validation that chooses the weights."""
    vocabulary: ClassVar[Vocabulary]

    size: tuple[int, int]

    def __init__(
        self,
        parameters: Parameters,
        dataset: Dataset,
        datain: Path,
        folder: Path,
        tracker: Tracker | None = None,
    ) -> None:
        self.parameters = parameters
        self.dataset = dataset
        self.datain = datain
        self.folder = folder
        self.fingerprint = dataset_fingerprint(dataset)
        state = Path(parameters.checkpoint_folder) if parameters.checkpoint_folder else folder
        self.work = WorkFolder(state, _identity(parameters, self.fingerprint))
        self.first = process_rank() == 0
        self.tracker = tracker or connect(parameters.aicore_tracking and self.first)
        self.accelerator = choose_accelerator(parameters.accelerator)
        self.devices = choose_devices(parameters.devices, self.accelerator)
        self.precision = self.choose_precision()
        self.clock = SharedClock()
        self.budget = Budget(
            parameters.maximum_training_steps, parameters.maximum_training_minutes * 60, self.clock
        )
        lightning.seed_everything(parameters.seed, workers=True, verbose=False)
        self.size = self.choose_size()
        self.data = self.make_data()
        self.module = self.make_module()
        self.load_weights()
        self.reporter = Reporter(self.tracker, self.module, self.batch_size, self.vocabulary)
        self.averaged = AveragedWeights(self.module.network)
        self.chosen = BestWeights(self.averaged, self.module, self.best)
        if self.batch_size < self.devices:
            raise ParameterError(
                [f"parameter devices: {self.devices} devices, but only {self.batch_size} pictures a step"]
            )

    def choose_precision(self) -> Precision:
        """What is asked for; bfloat16 by itself where the machine computes in it."""
        return choose_precision(self.parameters.precision, self.accelerator)

    @abstractmethod
    def choose_size(self) -> tuple[int, int]:
        """(width, height) of the input."""

    @abstractmethod
    def make_data(self) -> TrainingData:
        """The pictures of every split in use."""

    @abstractmethod
    def make_module(self) -> TrainedModule[Any]:
        """The network in its Lightning module."""

    def load_weights(self) -> None:
        """Start from the weights that the parameters name, if any. Raises ``ParameterError``."""
        if self.parameters.weights not in ("", RANDOM):
            _load_weights(self.module.network, self.datain / self.parameters.weights)

    @abstractmethod
    def write_model(self, metrics: Metrics) -> None:
        """Write weights, ONNX and ``model.json``; the module holds the chosen weights."""

    @abstractmethod
    def draw(self, metrics: Metrics) -> None:
        """Write the pictures of the model folder."""

    def evidence(self, split: SplitName) -> Evidence:
        """What the report shows beside the figures; ``split`` was evaluated last."""
        return Evidence(split, self.reporter.curves)

    @property
    def batch_size(self) -> int:
        """Pictures a step."""
        return self.parameters.batch_size

    @property
    def steps(self) -> int:
        """Optimizer steps done, over all processes of this run."""
        return self.averaged.steps

    def run(self) -> None:
        """Train, evaluate and write the model folder; sends what the tracker still holds, come what may."""
        try:
            with warnings.catch_warnings():
                # Lightning counts the epochs of sized datasets; ours end when an evaluation is due.
                warnings.filterwarnings("ignore", module="pytorch_lightning")
                warnings.filterwarnings("ignore", message=".*num_workers.*")
                warnings.filterwarnings("ignore", message=".*LeafSpec.*")
                trainer = self.fit()
                self.finish(trainer)
        finally:
            self.tracker.close()

    def fit(self) -> lightning.Trainer:
        """Train, from the checkpoint of an interrupted run if any; the module then holds the best weights."""
        self.folder.mkdir(parents=True, exist_ok=True)
        resume = self.work.open() if self.first else self.work.newest()
        self._announce(resume)
        trainer = self._trainer()
        try:
            trainer.fit(self.module, datamodule=self.data, ckpt_path=resume, weights_only=True)
        except SIGTERMException as error:  # to Lightning a clean exit; but there is no model
            raise StoppedError(
                "stopped by SIGTERM before the end; the same command with the same folder goes on from the "
                "last checkpoint"
            ) from error
        self._take_best_weights()
        return trainer

    def finish(self, trainer: lightning.Trainer) -> None:
        """Evaluate the best weights, write the model folder and drop the checkpoints."""
        metrics = self._final_figures(trainer)
        if not self.first:
            return
        self.reporter.report("export", self.steps)
        if "test" in metrics:
            path = self.folder / "metrics_test.json"
            path.write_text(json.dumps(metrics["test"], indent=2) + "\n", encoding="utf-8")
        write_splits(self.dataset, self.folder)
        self.draw(metrics)
        write_evidence(self.evidence("test" if "test" in metrics else "validation"), self.folder)
        self.write_model(metrics)
        if metrics:
            write_report(self.folder)
        logger.info("model written to %s", self.folder)
        self.work.remove()

    def recipe(self) -> Recipe:
        """How the module learns; on a CPU every thread gets a replica of its own, or a process of its own."""
        parameters = self.parameters
        alone = self.accelerator == "cpu" and self.devices == 1
        threads = torch.get_num_threads() if alone else 1
        return Recipe(
            self.budget,
            parameters.base_learning_rate,
            parameters.learning_rate_decay,
            replica_count(threads, self.batch_size),
            parameters.seed,
        )

    def sampler(self, length: int) -> StepSampler:
        """Batches over ``length`` training pictures."""
        parameters = self.parameters
        return StepSampler(
            length, self.batch_size, parameters.seed, self.budget, parameters.evaluation_frequency
        )

    def described(self) -> dict[str, Any]:
        """The part of ``model.json`` that says where a model comes from, but for its metrics."""
        return {
            "parameters": self.parameters.as_dict(),
            "fingerprint": self.fingerprint,
            "pictures": {split: len(pictures) for split, pictures in self.dataset.splits.items()},
            "training": {
                "steps": self.steps,
                "seconds": round(self.budget.elapsed(), 1),
                "precision": self.precision,
                "accelerator": self.accelerator,
                "devices": self.devices,
            },
        }

    def _trainer(self) -> lightning.Trainer:
        validating = "validation" in self.dataset.splits
        callbacks: list[Callback] = [
            ClockTicks(self.clock),
            self.averaged,
            BudgetLimit(self.budget, self._final_evaluations()),
            self.reporter,
        ]
        if validating and self.parameters.early_stopping:
            callbacks.append(self._early_stopping())
        if validating:
            callbacks.append(self.chosen)
        callbacks.append(Checkpoints(self.work, clock=self.clock))
        return lightning.Trainer(
            accelerator=self.accelerator,
            devices=self.devices,
            strategy="ddp" if self.devices > 1 else "auto",
            use_distributed_sampler=False,
            plugins=[CheckpointFiles(self.work)],
            precision=self.precision,
            max_steps=self.parameters.maximum_training_steps,
            max_epochs=-1,
            gradient_clip_val=GRADIENT_NORM,
            limit_val_batches=1.0 if validating else 0,
            num_sanity_val_steps=0,
            callbacks=callbacks,
            default_root_dir=self.work.path,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    def _early_stopping(self) -> EarlyStopping:
        return EarlyStopping(
            self.watched,
            mode="max",
            patience=self.parameters.early_stopping_patience,
            min_delta=1e-5,
            check_on_train_epoch_end=False,  # a resumed run may begin with the end of an epoch
        )

    def _final_evaluations(self) -> float:
        """How many times the length of one validation the end of the run takes."""
        splits = self.dataset.splits
        if "validation" not in splits:
            return 0.0
        return 2 + len(splits.get("test", ())) / len(splits["validation"])

    def _announce(self, resume: Path | None) -> None:
        counts = ", ".join(f"{len(pictures)} {split}" for split, pictures in self.dataset.splits.items())
        weights = sum(parameter.numel() for parameter in self.module.network.parameters())
        logger.info("pictures: %s; %d classes", counts, len(self.dataset.classes))
        logger.info(
            "%s, %.2f M parameters, input %dx%d, %s on %d %s, %d threads",
            self.title,
            weights / 1e6,
            *self.size,
            self.precision,
            self.devices,
            self.accelerator,
            torch.get_num_threads(),
        )
        logger.info("resuming from %s" if resume else "starting afresh%s", resume or "")

    def _take_best_weights(self) -> None:
        """The averaged weights of the best evaluation, or of the end where nothing was evaluated."""
        if not self.chosen.weights:
            self.module.network.load_state_dict(self.averaged.average)
            return
        self.module.network.load_state_dict(self.chosen.weights)
        self.module.restore(self.chosen.kept)
        logger.info("best weights: step %d", self.chosen.step)

    def _final_figures(self, trainer: lightning.Trainer) -> dict[SplitName, dict[str, float]]:
        """Evaluate the chosen weights on validation and test; metrics by split."""
        metrics: dict[SplitName, dict[str, float]] = {}
        if "validation" in self.dataset.splits:
            trainer.validate(self.module, datamodule=self.data, verbose=False)
            assert self.module.figures is not None
            metrics["validation"] = dict(self.module.figures.metrics)
        if "test" in self.dataset.splits:
            self.reporter.report("test", self.steps)
            trainer.test(self.module, datamodule=self.data, verbose=False)
            assert self.module.figures is not None
            metrics["test"] = dict(self.module.figures.metrics)
            self.reporter.finish(metrics["test"], self.steps)
        return metrics


def _identity(parameters: TrainingParameters, fingerprint: str) -> str:
    """What two processes must share to be the same run."""
    content = json.dumps([parameters.as_dict(), fingerprint], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def switched(value: Switch, automatic: bool) -> bool:
    """What a parameter of auto, true or false means where auto means ``automatic``."""
    return automatic if value == "auto" else value == "true"


def _load_weights(network: nn.Module, path: Path) -> None:
    """Start from a ``model.safetensors`` of the very same network."""
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ParameterError(
            [f"parameter weights: {path} does not fit this network ({reason}); give a model.safetensors"]
        ) from error
