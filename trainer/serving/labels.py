"""The parameter ``models``: which folders are served under which labels."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import ParameterError
from trainer.inference.card import ModelError, models_below

DEFAULT_LABEL = "model"
"""The label of a model without one: what the CV package's default parameter says."""

_ENTRY = re.compile(r"(?P<path>[^\[\]]+)(\[(?P<label>[^\[\]]*)\])?")


@dataclass(frozen=True, slots=True)
class Place:
    """A model's folder and the label it is asked for by; ``root`` is what was named, at or above it."""

    label: str
    folder: Path
    root: Path | None = None

    def locate(self) -> Path:
        """The folder of the model as it lies now, which may be another one below ``root``.

        Raises ``ModelError`` where there is none, or more than one.
        """
        return _only(self.root or self.folder)


def slug(label: str) -> str:
    """The label as it stands in URLs: lower case, everything but letters, digits, - and _ a dash."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9_-]+", "-", plain.lower()).strip("-")


def parse_models(text: str) -> tuple[Place, ...]:
    """The places of ``path[label]:path2[label2]``; a path's only model may lie below it.

    A single path without a label is served as ``model``, several under the names of their folders. Raises
    ``ParameterError`` for what cannot be read or is not unique, and ``ModelError`` where there is no model.
    """
    entries = [entry.strip() for entry in text.split(":") if entry.strip()]
    if not entries:
        raise ParameterError(["parameter models: name a model folder, for example /mnt/models/[model]"])
    places = [_place(entry, alone=len(entries) == 1) for entry in entries]
    twice = [label for label, times in Counter(place.label for place in places).items() if times > 1]
    if twice:
        raise ParameterError([f"parameter models: the label {twice[0]} stands there twice"])
    return tuple(places)


def _place(entry: str, *, alone: bool) -> Place:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise ParameterError([f"parameter models: {entry!r} is not of the form path[label]"])
    path = Path(match["path"])
    label = slug(match["label"] or (DEFAULT_LABEL if alone else path.name))
    if not label:
        raise ParameterError([f"parameter models: the label of {entry!r} has no letter and no digit"])
    return Place(label, _only(path), path)


def _only(path: Path) -> Path:
    found = models_below(path)
    if len(found) > 1:
        named = ":".join(f"{folder}[{slug(folder.name)}]" for folder in found[:5])
        raise ModelError(f"{path} holds {len(found)} models: name each in models, for example {named}")
    return found[0]
