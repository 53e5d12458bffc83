"""The parameter ``models``: paths, labels, and models that lie below a path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.errors import ParameterError
from trainer.inference.card import ModelError
from trainer.serving.labels import parse_models, slug

Maker = Callable[..., Path]


@pytest.fixture
def models(make_detector: Maker, tmp_path: Path) -> Path:
    """A folder with the models ``Cat Finder`` and ``deep/dogs``."""
    make_detector(tmp_path / "Cat Finder")
    make_detector(tmp_path / "deep" / "dogs")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{0}/Cat Finder[cats]", [("cats", "Cat Finder")]),
        ("{0}/Cat Finder", [("model", "Cat Finder")]),
        ("{0}/deep/[model]", [("model", "deep/dogs")]),
        ("{0}/Cat Finder[A b]:{0}/deep[dogs]", [("a-b", "Cat Finder"), ("dogs", "deep/dogs")]),
        ("{0}/Cat Finder : {0}/deep/dogs :", [("cat-finder", "Cat Finder"), ("dogs", "deep/dogs")]),
    ],
)
def test_places(models: Path, text: str, expected: list[tuple[str, str]]) -> None:
    """Without a label: ``model`` for the only one, else the folder's name."""
    found = parse_models(text.format(models))
    assert [(place.label, place.folder.relative_to(models).as_posix()) for place in found] == expected


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", ParameterError, "name a model folder"),
        ("[model]", ParameterError, "not of the form"),
        ("{0}/deep[a][b]", ParameterError, "not of the form"),
        ("{0}/deep[---]", ParameterError, "no letter and no digit"),
        ("{0}/deep[a]:{0}/deep[A]", ParameterError, "twice"),
        ("{0}/nowhere[model]", ModelError, "is no folder"),
        ("{0}[model]", ModelError, r"holds 2 models: name each in models, for example .*\[cat-finder\]:"),
    ],
)
def test_what_is_no_list_of_models(models: Path, text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        parse_models(text.format(models))


@pytest.mark.parametrize(
    ("label", "expected"), [("Model", "model"), ("Zähler 3", "zahler-3"), ("a_b-c", "a_b-c"), ("!", "")]
)
def test_slugs(label: str, expected: str) -> None:
    assert slug(label) == expected
