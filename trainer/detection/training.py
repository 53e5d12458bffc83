"""One training from a sound dataset to a complete model folder."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from pathlib import Path

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.utilities.exceptions import SIGTERMException
from safetensors import SafetensorError
from safetensors.torch import load_file

from trainer.data.records import Dataset, SplitName, dataset_fingerprint, write_splits
from trainer.detection.augment import AugmentationConfig
from trainer.detection.averaging import AveragedWeights
from trainer.detection.budget import Budget
from trainer.detection.charts import draw_confusion, draw_curves, draw_samples
from trainer.detection.checkpoints import LastCheckpoint, WorkFolder, best_checkpoint, load_checkpoint
from trainer.detection.datamodule import DetectionData
from trainer.detection.export import ModelCard, write_model
from trainer.detection.hardware import choose_accelerator, choose_precision
from trainer.detection.input_size import CPU_PIXELS, GPU_PIXELS, choose_input_size
from trainer.detection.limits import BudgetLimit
from trainer.detection.module import DetectionModule
from trainer.detection.network import NetworkConfig
from trainer.detection.preparation import Preparation
from trainer.detection.progress import Reporter
from trainer.detection.reading import are_characters, are_digits
from trainer.detection.replicas import replica_count
from trainer.errors import ParameterError, TrainerError
from trainer.parameters.detection import DetectionParameters
from trainer.parameters.scheme import Switch
from trainer.tracking import Tracker, connect

logger = logging.getLogger(__name__)

GRADIENT_NORM = 10.0


class StoppedError(TrainerError):
    """The training was told to stop before it was complete."""


class Training:
    """Wires data, module, callbacks and trainer together from the parameters, and runs them."""

    def __init__(
        self,
        parameters: DetectionParameters,
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
        self.work = WorkFolder(folder, _identity(parameters, self.fingerprint))
        self.tracker = tracker or connect(parameters.aicore_tracking)
        self.accelerator = choose_accelerator(parameters.accelerator)
        self.precision = choose_precision(parameters.precision, self.accelerator)
        self.budget = Budget(parameters.maximum_training_steps, parameters.maximum_training_minutes * 60)
        lightning.seed_everything(parameters.seed, workers=True, verbose=False)
        self.size = choose_input_size(
            dataset.splits["train"],
            parameters.input_width,
            parameters.input_height,
            CPU_PIXELS if self.accelerator == "cpu" else GPU_PIXELS,
        )
        self.data = self._data()
        self.module = self._module()
        self.reporter = Reporter(self.tracker, self.module, parameters.batch_size)
        self.averaged = AveragedWeights(self.module.network)

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
        resume = self.work.open()
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
        self.reporter.report("export", self.steps)
        self._write(metrics)
        self.work.remove()

    def _data(self) -> DetectionData:
        parameters = self.parameters
        return DetectionData(
            self.dataset,
            self.size,
            batch_size=parameters.batch_size,
            seed=parameters.seed,
            budget=self.budget,
            frequency=parameters.evaluation_frequency,
            workers=parameters.num_workers,
        )

    def _module(self) -> DetectionModule:
        parameters, characters = self.parameters, are_characters(self.dataset.classes)
        threads = torch.get_num_threads() if self.accelerator == "cpu" else 1
        module = DetectionModule(
            NetworkConfig(len(self.dataset.classes)),
            self.dataset.classes,
            self.budget,
            learning_rate=parameters.base_learning_rate,
            decay=parameters.learning_rate_decay,
            class_agnostic=_switch(parameters.class_agnostic_nms, characters),
            preparation=Preparation(
                parameters.seed,
                AugmentationConfig() if parameters.additional_augmentations else None,
                _switch(parameters.horizontal_flip, not characters),
            ),
            replicas=replica_count(threads, parameters.batch_size),
        )
        if self.parameters.weights:
            _load_weights(module, self.datain / self.parameters.weights)
        return module

    def _trainer(self) -> lightning.Trainer:
        validating = "validation" in self.dataset.splits
        callbacks: list[Callback] = [
            self.averaged,
            BudgetLimit(self.budget, self._final_evaluations()),
            self.reporter,
        ]
        if validating and self.parameters.early_stopping:
            patience = self.parameters.early_stopping_patience
            callbacks.append(
                EarlyStopping(
                    "mAP/allClasses",
                    mode="max",
                    patience=patience,
                    min_delta=1e-5,
                    check_on_train_epoch_end=False,  # a resumed run may begin with the end of an epoch
                )
            )
        if validating:
            callbacks.append(best_checkpoint(self.work))
        callbacks.append(LastCheckpoint(self.work.last))
        return lightning.Trainer(
            accelerator=self.accelerator,
            devices=1,
            precision=self.precision,
            max_steps=self.parameters.maximum_training_steps,
            max_epochs=-1,
            gradient_clip_val=GRADIENT_NORM,
            limit_val_batches=1.0 if validating else 0,
            num_sanity_val_steps=0,
            callbacks=callbacks,
            default_root_dir=self.work.path,
            logger=False,
            enable_checkpointing=validating,
            enable_progress_bar=False,
            enable_model_summary=False,
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
            "compact detector, %.2f M parameters, input %dx%d, %s on %s, %d threads",
            weights / 1e6,
            *self.size,
            self.precision,
            self.accelerator,
            torch.get_num_threads(),
        )
        logger.info("resuming from %s" if resume else "starting afresh%s", resume or "")

    def _take_best_weights(self) -> None:
        """The averaged weights of the best evaluation, or of the end where nothing was evaluated."""
        if not self.work.best.is_file():
            self.module.network.load_state_dict(self.averaged.average)
            return
        checkpoint = load_checkpoint(self.work.best)
        self.module.network.load_state_dict(checkpoint["callbacks"][self.averaged.state_key]["average"])
        self.module.threshold = checkpoint["corespec"]["threshold"]
        logger.info("best weights: step %d", checkpoint["global_step"])

    def _final_figures(self, trainer: lightning.Trainer) -> dict[str, dict[str, float]]:
        """Evaluate the chosen weights on validation and test; metrics by split."""
        metrics: dict[str, dict[str, float]] = {}
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

    @property
    def steps(self) -> int:
        """Optimizer steps done, over all processes of this run."""
        return self.averaged.steps

    def _write(self, metrics: dict[str, dict[str, float]]) -> None:
        card = ModelCard(
            classes=self.dataset.classes,
            size=self.size,
            network=self.module.network.config,
            threshold=self.module.threshold if self.module.threshold is not None else 0.5,
            class_agnostic=self.module.class_agnostic,
            digits=are_digits(self.dataset.classes),
            parameters=self.parameters.as_dict(),
            fingerprint=self.fingerprint,
            pictures={split: len(pictures) for split, pictures in self.dataset.splits.items()},
            metrics=metrics,
            training={
                "steps": self.steps,
                "seconds": round(self.budget.elapsed(), 1),
                "precision": self.precision,
                "accelerator": self.accelerator,
            },
        )
        write_model(self.module.network, card, self.folder)
        if "test" in metrics:
            path = self.folder / "metrics_test.json"
            path.write_text(json.dumps(metrics["test"], indent=2) + "\n", encoding="utf-8")
        write_splits(self.dataset, self.folder)
        draw_curves(self.reporter.curves, self.folder / "curves.png")
        if self.module.figures is not None:
            split: SplitName = "test" if "test" in metrics else "validation"
            draw_confusion(
                self.module.figures.confusion, self.dataset.classes, self.folder / "confusion_matrix.png"
            )
            draw_samples(
                self.data.sets[split],
                self.module.evaluation.outcomes,
                self.dataset.classes,
                card.threshold,
                self.folder / "samples",
            )
        logger.info("model written to %s", self.folder)


def _identity(parameters: DetectionParameters, fingerprint: str) -> str:
    """What two processes must share to be the same run."""
    content = json.dumps([parameters.as_dict(), fingerprint], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _switch(value: Switch, automatic: bool) -> bool:
    return automatic if value == "auto" else value == "true"


def _load_weights(module: DetectionModule, path: Path) -> None:
    """Start from a ``model.safetensors``; its classes must be as many as the dataset's."""
    try:
        module.network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ParameterError(
            [f"parameter weights: {path} does not fit this network ({reason}); give a model.safetensors"]
        ) from error
