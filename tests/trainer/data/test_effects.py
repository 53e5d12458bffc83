"""Plate and camera: print stays off the counter, effects do what they are named for, bytes repeat."""

from __future__ import annotations

from random import Random
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw

from trainer.data.drawing import effects
from trainer.data.drawing.dataset import Drawing, Mark, _annotation
from trainer.data.drawing.plate import decorate, draw_plate
from trainer.data.drawing.styles import sample_look
from trainer.data.records import Box
from trainer.data.voc import Annotation, read_annotation, read_boxes


@pytest.mark.parametrize("seed", range(8))
def test_print_never_touches_the_counter(seed: int) -> None:
    """Serial numbers are distractors beside the counter, never on it: that would make labels wrong."""
    rng = Random(seed)
    look = sample_look(rng)
    plate = draw_plate((600, 240), look, rng)
    before = plate.copy()
    decorate(plate, (150, 80, 450, 160), 60, look, rng)
    changed = ImageChops.difference(before, plate)
    assert changed.crop((150, 80, 450, 160)).getbbox() is None
    assert changed.getbbox() is not None


def test_looks_cover_every_kind() -> None:
    """The draws hold drums and glass, black and white wheels, red decimals, 4 to 8 digits, all frames."""
    looks = [sample_look(Random(seed)) for seed in range(150)]
    assert {look.kind for look in looks} == {"drums", "lcd"}
    assert {look.digits for look in looks} == set(range(4, 9))
    assert {look.frame for look in looks} == {"slots", "bezel", "inset"}
    drums = [look for look in looks if look.kind == "drums"]
    assert {sum(look.wheel) > sum(look.ink) for look in drums} == {True, False}
    assert any(look.decimal_wheel[0] > 2 * look.decimal_wheel[1] for look in drums if look.decimals)


@pytest.mark.parametrize("seed", range(100))
def test_ink_can_be_told_from_paper(seed: int) -> None:
    """On every wheel, whole or decimal, some colour channel parts ink and paper by 90 levels or more."""
    look = sample_look(Random(seed))
    for paper, ink in ((look.wheel, look.ink), (look.decimal_wheel, look.decimal_ink)):
        assert max(abs(a - b) for a, b in zip(paper, ink, strict=True)) >= 90


def test_noise_has_the_strength_it_is_given() -> None:
    """Mean nought, standard deviation as asked, to a few per cent."""
    grey = np.full((120, 300, 3), 128, dtype=np.float32)
    noise = effects._noise(grey, 6.0, Random(1)) - 128
    assert abs(float(noise.mean())) < 0.1
    assert float(noise.std()) == pytest.approx(6.0, rel=0.03)


def test_glare_only_brightens_and_fades_with_distance() -> None:
    """Nothing gets darker, nothing leaves the range of a byte."""
    dark = np.full((100, 300, 3), 40, dtype=np.float32)
    lit = effects._glare(dark, Random(4))
    assert float(lit.min()) >= 40
    assert 90 < float(lit.max()) <= 250


def test_shake_spreads_a_line_over_its_length() -> None:
    """A white column moved by five pixels is five columns of a fifth of the light."""
    picture = Image.new("RGB", (41, 9))
    ImageDraw.Draw(picture).line((20, 0, 20, 9), fill=(255, 255, 255))
    row = np.asarray(effects._shake(picture, 5, upright=False))[4, :, 0]
    assert np.flatnonzero(row).tolist() == [18, 19, 20, 21, 22]
    assert set(row[18:23].tolist()) == {51}


@pytest.mark.parametrize("seed", range(12))
def test_every_camera_keeps_size_and_repeats(seed: int) -> None:
    """All branches of light and lens give a picture of the same size, twice the same."""
    picture = Image.effect_mandelbrot((160, 70), (-2, -1, 1, 1), 60).convert("RGB")
    one, two = (effects.photograph(picture, Random(seed)) for _ in range(2))
    assert one.size == (160, 70)
    assert one.tobytes() == two.tobytes()


def test_a_view_that_cannot_hold_the_cells_is_straight() -> None:
    """Cells up to the edge leave no room for turning: the fall-back maps edge to edge."""
    cells = [effects.Cell("1", 2, 2, 538, 198)]
    view = effects.choose_view((540, 200), (400, 148), cells, Random(3))
    assert view((0, 0)) == pytest.approx((0, 0))
    assert view((540, 200)) == pytest.approx((400, 148))


def test_annotations_round_trip_through_the_reader() -> None:
    """What is drawn at 0-based [3, 9) is written as 4..9 and read as [3, 9)."""
    drawing = Drawing(Image.new("RGB", (40, 20)), (Mark("7", 3, 2, 9, 17),), 90)
    text = "".join(_annotation("x", drawing))
    assert ElementTree.fromstring(text).findtext("object/bndbox/xmin") == "4"
    annotation = read_annotation(text.encode())
    assert isinstance(annotation, Annotation)
    assert annotation.size == (40, 20)
    assert read_boxes(annotation, 40, 20) == ((Box(3, 2, 9, 17, "7"),), [])
