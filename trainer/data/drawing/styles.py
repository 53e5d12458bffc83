"""What a counter looks like: one frozen description, drawn by lot from the kinds that hang on walls."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from trainer.data.drawing.glyphs import Hand

Colour = tuple[int, int, int]
Kind = Literal["drums", "lcd"]
Frame = Literal["slots", "bezel", "inset"]


@dataclass(frozen=True, slots=True)
class Look:
    """A counter and the plate around it; lengths are shares of the digit height."""

    kind: Kind
    hand: Hand
    digits: int
    decimals: int
    wheel: Colour
    ink: Colour
    decimal_wheel: Colour
    decimal_ink: Colour
    frame: Frame
    frame_colour: Colour
    plate: Colour
    print_colour: Colour
    digit_width: float
    wheel_width: float
    wheel_gap: float
    window_height: float
    pitch: float
    shading: float


def sample_look(rng: Random) -> Look:
    """Draw a look: four in five are drum counters, the rest liquid crystal."""
    return _sample_lcd(rng) if rng.random() < 0.2 else _sample_drums(rng)


def _shade(rng: Random, low: int, high: int, spread: int = 10) -> Colour:
    """A near-grey between ``low`` and ``high`` with a slight cast."""
    grey = rng.randint(low, high)
    red, green, blue = (min(255, max(0, grey + rng.randint(-spread, spread))) for _ in range(3))
    return red, green, blue


def _red(rng: Random) -> Colour:
    return rng.randint(150, 215), rng.randint(15, 60), rng.randint(15, 55)


def _sample_plate(rng: Random) -> tuple[Colour, Colour]:
    """Plate and the colour printed on it."""
    match rng.randrange(10):
        case 0 | 1 | 2 | 3 | 4:
            return _shade(rng, 185, 242), _shade(rng, 15, 70)
        case 5 | 6:
            return _shade(rng, 120, 180, 14), _shade(rng, 10, 50)
        case 7:
            return _shade(rng, 25, 60), _shade(rng, 190, 235)
        case 8:
            return (rng.randint(30, 80), rng.randint(70, 110), rng.randint(120, 170)), _shade(rng, 210, 245)
        case _:
            return (rng.randint(205, 235), rng.randint(190, 215), rng.randint(130, 170)), _shade(rng, 20, 60)


def _sample_stroke_hand(rng: Random) -> Hand:
    if rng.random() < 0.3:
        return Hand(family="font", weight=rng.choice((0.1, 0.115, 0.13)))
    return Hand(
        weight=rng.choice((0.1, 0.115, 0.13, 0.145, 0.16)),
        squareness=rng.choice((2.0, 2.3, 2.7, 3.3)),
        round_ends=rng.random() < 0.7,
        footed_one=rng.random() < 0.2,
        open_four=rng.random() < 0.15,
        flat_three=rng.random() < 0.25,
    )


def _sample_drums(rng: Random) -> Look:
    dark, pale = _shade(rng, 18, 50, 5), _shade(rng, 215, 248, 7)
    white_on_black = rng.random() < 0.65
    wheel, ink = (dark, pale) if white_on_black else (pale, dark)
    decimals = rng.choice((0, 0, 1, 2, 3))
    digits = rng.randint(max(4, decimals + 3), 8)
    decimal_wheel, decimal_ink = rng.choice(
        ((_red(rng), pale), (pale, _red(rng)), (wheel, ink), (wheel, _red(rng)))
    )
    if decimal_wheel == dark and decimal_ink != pale:
        decimal_ink = pale  # red on black is read by nobody
    plate, print_colour = _sample_plate(rng)
    digit_width = rng.uniform(0.5, 0.66)
    wheel_width = digit_width * rng.uniform(1.15, 1.7)
    return Look(
        kind="drums",
        hand=_sample_stroke_hand(rng),
        digits=digits,
        decimals=decimals,
        wheel=wheel,
        ink=ink,
        decimal_wheel=decimal_wheel,
        decimal_ink=decimal_ink,
        frame=rng.choice(("slots", "bezel", "inset")),
        frame_colour=_shade(rng, 10, 45, 4) if rng.random() < 0.7 else _shade(rng, 150, 225),
        plate=plate,
        print_colour=print_colour,
        digit_width=digit_width,
        wheel_width=wheel_width,
        wheel_gap=rng.choice((0.03, 0.06, 0.12, 0.25)),
        window_height=rng.uniform(1.2, 1.65),
        pitch=rng.uniform(1.3, 1.6),
        shading=rng.uniform(0.25, 0.75),
    )


def _sample_lcd(rng: Random) -> Look:
    base = rng.randint(150, 195)
    glass = (base - rng.randint(5, 30), base, base - rng.randint(15, 45))
    ink = _shade(rng, 20, 60, 6)
    plate, print_colour = _sample_plate(rng)
    digit_width = rng.uniform(0.48, 0.6)
    return Look(
        kind="lcd",
        hand=Hand(
            family="segments",
            weight=rng.choice((0.09, 0.11, 0.13)),
            slant=rng.choice((0.0, 0.06, 0.1)),
            round_ends=False,
        ),
        digits=rng.randint(4, 8),
        decimals=rng.choice((0, 0, 1, 2, 3)),
        wheel=glass,
        ink=ink,
        decimal_wheel=glass,
        decimal_ink=ink,
        frame="bezel",
        frame_colour=_shade(rng, 20, 90),
        plate=plate,
        print_colour=print_colour,
        digit_width=digit_width,
        wheel_width=digit_width * rng.uniform(1.2, 1.45),
        wheel_gap=0.0,
        window_height=rng.uniform(1.35, 1.9),
        pitch=1.5,
        shading=0.1,
    )
