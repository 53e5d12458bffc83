"""The folder a training works in, so that a killed run continues where it was."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.exceptions import SIGTERMException
from typing_extensions import override

logger = logging.getLogger(__name__)

INTERVAL = 60.0
"""Seconds between two checkpoints: about what a killed run loses at most."""

KEPT = 2
"""Checkpoints on the disk: one to fall back on where the newest is damaged."""

_DIGITS = 16
"""Hexadecimal digits of the content's SHA-256 in a checkpoint's name."""


class WorkFolder:
    """``checkpoints/`` inside ``folder``: ``<step>-<digest>.ckpt``, and whose they are.

    A checkpoint is taken up only by a run with the same identity (parameters and dataset); any other
    run starts afresh. The name holds the digest of the content, so that a file which a crash of the machine
    has torn is recognised and the one before it is used. The folder goes away when the model is complete.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.path = folder / "checkpoints"
        self.identity = identity

    def open(self) -> Path | None:
        """Make the folder ready; the checkpoint to resume from, if there is one of this very run."""
        if self._owned():
            self._partial.unlink(missing_ok=True)
            return self.newest()
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        with self._partial.open("w", encoding="utf-8") as file:
            json.dump({"identity": self.identity}, file)
            _settle(file.fileno())
        self._partial.replace(self._owner)
        return None

    def newest(self) -> Path | None:
        """The newest checkpoint of this very run that is whole."""
        for path in self._checkpoints() if self._owned() else ():
            if path.stem.rpartition("-")[2] == _digest(path):
                return path
            logger.warning("%s is damaged; the checkpoint before it is used, if there is one", path)
        return None

    def write(self, checkpoint: dict[str, Any]) -> None:
        """Write a checkpoint, whole or not at all, and drop those that are no longer needed."""
        with self._partial.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            _settle(file.fileno())
        name = f"{checkpoint['global_step']:010d}-{_digest(self._partial)}.ckpt"
        self._partial.replace(self.path / name)
        folder = os.open(self.path, os.O_RDONLY)
        try:
            _settle(folder)  # without it the new name may be lost with the machine's power
        finally:
            os.close(folder)
        for outdated in list(self._checkpoints())[KEPT:]:
            outdated.unlink()

    def remove(self) -> None:
        """The model is complete: nothing is left to resume."""
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def _owner(self) -> Path:
        return self.path / "run.json"

    @property
    def _partial(self) -> Path:
        return self.path / "partial"

    def _checkpoints(self) -> Iterator[Path]:
        """Newest first; of two with the same step the one written later."""
        found = [(path.name[:10], path.stat().st_mtime_ns, path) for path in self.path.glob("*-*.ckpt")]
        return (path for _, _, path in sorted(found, reverse=True))

    def _owned(self) -> bool:
        try:
            return bool(json.loads(self._owner.read_text(encoding="utf-8")).get("identity") == self.identity)
        except (OSError, ValueError):
            return False


class CheckpointFiles(TorchCheckpointIO):
    """How Lightning writes checkpoints: into a ``WorkFolder``, which chooses the name."""

    def __init__(self, folder: WorkFolder) -> None:
        self.folder = folder

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        self.folder.write(checkpoint)


class Checkpoints(Callback):
    """Writes a checkpoint after every evaluation and now and then between; must be the last callback.

    Never between the last step before an evaluation and the evaluation: a resumed run begins with a step.
    Nor once the training is to stop: a run that is killed then repeats its last steps and stops again.
    """

    def __init__(
        self, folder: WorkFolder, interval: float = INTERVAL, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder = folder
        self.interval = interval
        self.clock = clock
        self._written = 0.0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._written = self.clock()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        before_evaluation = trainer.is_last_batch and trainer.enable_validation
        if self.clock() - self._written >= self.interval and not before_evaluation:
            self._write(trainer)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            self._write(trainer)

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Told to stop, Lightning does so between two steps: nothing is lost."""
        if isinstance(exception, SIGTERMException):
            self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        if trainer.should_stop:
            return
        trainer.save_checkpoint(self.folder.path)
        logger.info("checkpoint at step %d", trainer.global_step)
        self._written = self.clock()


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of our own; only tensors and plain values, never code."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]


def _settle(descriptor: int) -> None:
    """Wait until the content is on the disk: a name must never point at what is not there yet."""
    os.fsync(descriptor)
