"""``model.json``: what a model folder says of itself, read with suspicion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.errors import InputError

FORMAT_VERSION = 1
DESCRIPTION = "model.json"
WEIGHTS = "model.onnx"
_LARGEST_SIDE = 8192


class ModelError(InputError):
    """The folder holds no model that this program can run."""


@dataclass(frozen=True, slots=True)
class Card:
    """The parts of ``model.json`` that every task has; ``size`` is the input's (width, height)."""

    folder: Path
    task: str
    classes: tuple[str, ...]
    size: tuple[int, int]
    document: Mapping[str, Any]

    def fraction(self, key: str) -> float:
        """A number in [0, 1]; raises ``ModelError`` for anything else."""
        value = self.document.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise self._wrong(key, "a number from 0 to 1")
        return float(value)

    def flag(self, key: str) -> bool:
        """A boolean; raises ``ModelError`` for anything else."""
        value = self.document.get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def _wrong(self, key: str, wanted: str) -> ModelError:
        return ModelError(f"{self.folder / DESCRIPTION}: {key} must be {wanted}: train the model again")


def read_card(folder: Path) -> Card:
    """The card of a model folder.

    Raises ``ModelError`` if the folder is no complete model or of a version this program cannot read.
    """
    try:
        document = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        version = document["format_version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{folder} is no model folder: {DESCRIPTION} cannot be read ({error})") from error
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{folder}/{DESCRIPTION} has format_version {version}, this program reads {FORMAT_VERSION}"
        )
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder} is no model folder: {WEIGHTS} is missing")
    try:
        size = (document["input"]["width"], document["input"]["height"])
        card = Card(folder, document["task"], tuple(document["classes"]), size, document)
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"{folder}/{DESCRIPTION} lacks task, classes or input ({error}): train the model again"
        ) from error
    if not all(isinstance(side, int) and 0 < side <= _LARGEST_SIDE for side in size):
        raise ModelError(f"{folder}/{DESCRIPTION}: the input of {size[0]}x{size[1]} pixels is not possible")
    if not all(isinstance(name, str) for name in card.classes):
        raise ModelError(f"{folder}/{DESCRIPTION}: classes must be names")
    return card


def models_below(place: Path) -> list[Path]:
    """``place`` itself where it is a model folder, else every model folder below it.

    Raises ``ModelError`` where there is none.
    """
    if not place.is_dir():
        raise ModelError(f"{place} is no folder: name the model folder")
    if (place / DESCRIPTION).is_file():
        return [place]
    found = sorted(path.parent for path in place.rglob(DESCRIPTION))
    if not found:
        raise ModelError(f"{place} holds no model: no {DESCRIPTION} in it or below it")
    return found


def find_model(place: Path, wanted: str = "") -> Path:
    """The model folder in ``place``: the ``wanted`` one (its path, or that of a file in it), or the only one.

    Raises ``ModelError`` where there is none, or several and no wish.
    """
    if wanted:
        path = place / wanted
        if not path.resolve().is_relative_to(place.resolve()):
            raise ModelError(f"parameter model_file: {wanted} lies outside {place}")
        folder = path if path.is_dir() else path.parent
        if not path.exists() or not (folder / DESCRIPTION).is_file():
            raise ModelError(f"parameter model_file: no model at {path}: name a folder with {DESCRIPTION}")
        return folder
    found = models_below(place)
    if len(found) > 1:
        names = ", ".join(path.relative_to(place).as_posix() for path in found[:10])
        raise ModelError(f"{place} holds {len(found)} models: set model_file to one of {names}")
    return found[0]
