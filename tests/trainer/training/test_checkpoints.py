"""Whose checkpoint it is, and that none is taken from another run."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from trainer.training.checkpoints import WorkFolder, load_checkpoint


def test_a_run_takes_up_its_own_checkpoint_only(tmp_path: Path) -> None:
    first = WorkFolder(tmp_path, "a")
    assert first.open() is None
    first.last.write_bytes(b"state")
    assert WorkFolder(tmp_path, "a").open() == first.last
    assert WorkFolder(tmp_path, "b").open() is None
    assert not first.last.exists()


def test_a_damaged_owner_file_means_a_fresh_start(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path, "a")
    folder.open()
    (folder.path / "run.json").write_text("{", encoding="utf-8")
    folder.last.write_bytes(b"state")
    assert WorkFolder(tmp_path, "a").open() is None


def test_a_complete_model_leaves_no_checkpoints(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path, "a")
    folder.open()
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
