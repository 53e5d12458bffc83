"""The folder a training works in, so that a killed run continues where it was."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from typing_extensions import override

logger = logging.getLogger(__name__)

INTERVAL = 60.0
"""Seconds between two checkpoints: about what a killed run loses at most."""

PATIENCE = 5
"""Intervals after which a checkpoint is written even where it is inconvenient."""


class WorkFolder:
    """``checkpoints/`` inside the model folder: ``last.ckpt``, ``best.ckpt`` and whose they are.

    A checkpoint is taken up only by a run with the same identity (parameters and dataset); any other
    run starts afresh. The folder goes away when the model is complete.
    """

    def __init__(self, model_folder: Path, identity: str) -> None:
        self.path = model_folder / "checkpoints"
        self.identity = identity
        self.last = self.path / "last.ckpt"
        self.best = self.path / "best.ckpt"

    def open(self) -> Path | None:
        """Make the folder ready; the checkpoint to resume from, if there is one of this very run."""
        owner = self.path / "run.json"
        if self._owned(owner):
            return self.last if self.last.is_file() else None
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        owner.write_text(json.dumps({"identity": self.identity}), encoding="utf-8")
        return None

    def _owned(self, owner: Path) -> bool:
        try:
            return bool(json.loads(owner.read_text(encoding="utf-8")).get("identity") == self.identity)
        except (OSError, ValueError):
            return False

    def remove(self) -> None:
        """The model is complete: nothing is left to resume."""
        shutil.rmtree(self.path, ignore_errors=True)


class LastCheckpoint(Callback):
    """Writes ``last.ckpt`` now and then, whole or not at all; must be the last callback of the trainer."""

    def __init__(
        self, path: Path, interval: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self.interval = INTERVAL if interval is None else interval
        self.clock = clock
        self._written = 0.0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._written = self.clock()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        waited = self.clock() - self._written
        # An evaluation follows the last batch; a resumed run would leave it out, so the next batch is better,
        # unless every batch is a last one.
        if waited < self.interval or (trainer.is_last_batch and waited < PATIENCE * self.interval):
            return
        partial = self.path.with_suffix(".partial")
        trainer.save_checkpoint(partial)
        os.replace(partial, self.path)  # noqa: PTH105
        self._written = self.clock()


def best_checkpoint(folder: WorkFolder, metric: str) -> ModelCheckpoint:
    """Keeps the weights with the highest ``metric`` on validation."""
    return ModelCheckpoint(
        dirpath=folder.path,
        filename="best",
        monitor=metric,
        mode="max",
        save_top_k=1,
        auto_insert_metric_name=False,
        enable_version_counter=False,
    )


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of our own; only tensors and plain values, never code."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content
