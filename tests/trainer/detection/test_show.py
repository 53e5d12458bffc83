"""The sheet of changed training pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from trainer.__main__ import main
from trainer.parameters.detection import AUGMENTATIONS


def test_the_sheet_has_a_row_for_every_augmentation(
    rectangles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--set", "train=1.0", "--set", "validation=", "--set", "test="]
    sheets = [tmp_path / "a.png", tmp_path / "b.png"]
    for sheet in sheets:
        assert main(["show-augmentations", "--datain", str(rectangles), str(sheet), *arguments]) == 0
    assert ", ".join(("unchanged", *AUGMENTATIONS, "together")) in capsys.readouterr().out
    assert sheets[0].read_bytes() == sheets[1].read_bytes(), "the seed decides"
    with Image.open(sheets[0]) as picture:
        assert picture.size == (4 * 128, 9 * (64 + 18))
        rows = [picture.crop((0, row * 82 + 18, 512, row * 82 + 82)).tobytes() for row in range(9)]
    assert len(set(rows)) == 9, "each changes the pictures in a way of its own"


def test_a_sheet_that_cannot_be_written_is_an_error(
    rectangles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--set", "train=1.0", "--set", "validation=", "--set", "test="]
    sheet = tmp_path / "sheet.unknown"
    assert main(["show-augmentations", "--datain", str(rectangles), str(sheet), *arguments]) == 1
    assert "sheet.unknown" in capsys.readouterr().err
