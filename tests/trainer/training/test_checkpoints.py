"""Whose checkpoint it is, that it is whole, and that none is taken from another run."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.exceptions import SIGTERMException

from trainer.training.checkpoints import Checkpoints, WorkFolder, load_checkpoint


def checkpoint(step: int) -> dict[str, Any]:
    return {"global_step": step, "weights": torch.arange(1000.0) + step}


def written(folder: WorkFolder) -> list[int]:
    """Steps of the checkpoints there are."""
    return sorted(int(path.name[:10]) for path in folder.path.glob("*.ckpt"))


@pytest.fixture
def folder(tmp_path: Path) -> WorkFolder:
    folder = WorkFolder(tmp_path, "a")
    assert folder.open() is None
    return folder


def test_a_run_takes_up_its_own_checkpoint_only(folder: WorkFolder, tmp_path: Path) -> None:
    folder.write(checkpoint(3))
    found = WorkFolder(tmp_path, "a").open()
    assert found is not None
    assert load_checkpoint(found)["global_step"] == 3
    assert WorkFolder(tmp_path, "b").newest() is None
    assert WorkFolder(tmp_path, "b").open() is None
    assert written(folder) == []


def test_a_damaged_owner_file_means_a_fresh_start(folder: WorkFolder, tmp_path: Path) -> None:
    folder.write(checkpoint(3))
    (folder.path / "run.json").write_text("{", encoding="utf-8")
    assert WorkFolder(tmp_path, "a").open() is None


@pytest.mark.parametrize("damage", ["torn", "a bit", "emptied"])
def test_the_last_good_checkpoint_is_used_where_the_newest_is_damaged(
    folder: WorkFolder, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A file system may lose the end of a file with the power, or a disk turn a bit."""
    for step in (8, 9, 10):
        folder.write(checkpoint(step))
    assert written(folder) == [9, 10]
    newest = folder.newest()
    assert newest is not None
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes({"torn": content[:500], "a bit": content, "emptied": b""}[damage])
    found = WorkFolder(tmp_path, "a").open()
    assert found is not None
    assert load_checkpoint(found)["global_step"] == 9
    assert "damaged" in caplog.text


def test_a_half_written_checkpoint_is_no_checkpoint(
    folder: WorkFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the rename: the one before counts, and the rest of the new one is tidied up."""
    folder.write(checkpoint(8))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            folder.write(checkpoint(9))
    found = WorkFolder(tmp_path, "a").open()
    assert found is not None
    assert load_checkpoint(found)["global_step"] == 8
    assert {path.suffix for path in folder.path.iterdir()} == {".ckpt", ".json"}


def test_a_complete_model_leaves_no_checkpoints(folder: WorkFolder, tmp_path: Path) -> None:
    folder.write(checkpoint(3))
    folder.remove()
    assert list(tmp_path.iterdir()) == []


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("boom",)


def test_code_in_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"x": Bomb()}, path)
    with pytest.raises(pickle.UnpicklingError):
        load_checkpoint(path)


class Run:
    """A trainer of which only the moments count; one second a step."""

    def __init__(self, folder: WorkFolder, *, validating: bool = True) -> None:
        self.folder = folder
        self.now = 0.0
        self.trainer = cast(
            Any,
            SimpleNamespace(
                global_step=0,
                is_last_batch=False,
                enable_validation=validating,
                should_stop=False,
                state=SimpleNamespace(fn=TrainerFn.FITTING),
                save_checkpoint=lambda _: folder.write(checkpoint(self.trainer.global_step)),
            ),
        )
        self.callback = Checkpoints(folder, interval=5, clock=lambda: self.now)
        self.callback.on_train_start(self.trainer, cast(Any, None))

    def step(self, last: bool = False) -> None:
        self.now += 1
        self.trainer.global_step += 1
        self.trainer.is_last_batch = last
        self.callback.on_train_batch_end(self.trainer, cast(Any, None), None, None, 0)

    def evaluate(self) -> None:
        self.callback.on_validation_end(self.trainer, cast(Any, None))


def test_checkpoints_come_after_evaluations_and_at_intervals_between(folder: WorkFolder) -> None:
    run = Run(folder)
    for step in range(1, 7):
        run.step(last=step == 5)
        assert written(folder) == ([] if step < 5 else [6] if step == 6 else [])
    run.evaluate()
    assert written(folder)[-1] == 6


def test_none_is_written_once_the_training_is_to_stop(folder: WorkFolder) -> None:
    """A resumed run would train on past its end; it repeats the last steps instead."""
    run = Run(folder)
    run.trainer.should_stop = True
    run.evaluate()
    assert written(folder) == []


def test_without_validation_the_end_of_an_epoch_is_no_matter(folder: WorkFolder) -> None:
    run = Run(folder, validating=False)
    for _ in range(5):
        run.step(last=True)
    assert written(folder) == [5]


def test_a_run_that_is_told_to_stop_loses_nothing(folder: WorkFolder) -> None:
    run = Run(folder)
    run.step()
    run.callback.on_exception(run.trainer, cast(Any, None), ValueError())
    assert written(folder) == []
    run.callback.on_exception(run.trainer, cast(Any, None), SIGTERMException())
    assert written(folder) == [1]
