"""Drawn splits are disjoint, complete, stable and keep groups together."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.check import inspect
from trainer.data.records import SplitName
from trainer.data.splits import draw_splits, group_function
from trainer.errors import ParameterError
from trainer.parameters.detection import parse

STEMS = st.sets(st.text("abc0123_", min_size=1, max_size=6), min_size=3, max_size=60)
SHARES: dict[SplitName, Fraction] = {
    "train": Fraction("0.8"), "validation": Fraction("0.1"), "test": Fraction("0.1")
}  # fmt: skip


@given(STEMS, st.integers(0, 2**32 - 1))
def test_shares_of_one_are_disjoint_and_complete(stems: set[str], seed: int) -> None:
    """Every picture is in exactly one split, and no split is empty with three pictures or more."""
    dealt = draw_splits(stems, SHARES, seed, group_function(""))
    together = [stem for split in dealt.values() for stem in split]
    assert sorted(together) == sorted(stems)
    assert all(dealt.values())


@given(STEMS, st.integers(0, 99), st.randoms(use_true_random=False))
def test_file_order_changes_nothing(stems: set[str], seed: int, shuffler: Any) -> None:
    """Two machines list a folder in two orders."""
    order = sorted(stems)
    shuffler.shuffle(order)
    assert draw_splits(order, SHARES, seed, str) == draw_splits(sorted(stems), SHARES, seed, str)


@given(STEMS, st.integers(0, 99))
def test_a_group_is_never_torn(stems: set[str], seed: int) -> None:
    """Stems with the same first letter stay in one split."""
    dealt = draw_splits(stems, SHARES, seed, group_function("^."))
    homes: dict[str, set[str]] = {}
    for split, members in dealt.items():
        for stem in members:
            homes.setdefault(stem[0], set()).add(split)
    assert all(len(splits) == 1 for splits in homes.values())
    assert sorted(stem for members in dealt.values() for stem in members) == sorted(stems)


@given(st.integers(10, 400))
def test_counts_are_exact(count: int) -> None:
    """Without groups a share of 0.1 is a tenth, to the nearest picture."""
    dealt = draw_splits((f"p{index}" for index in range(count)), SHARES, 1, str)
    assert abs(len(dealt["validation"]) - count / 10) <= 1
    assert abs(len(dealt["test"]) - count / 10) <= 1


def test_the_drawing_is_the_same_everywhere() -> None:
    """A frozen example: a change here moves every user's test pictures into training."""
    dealt = draw_splits((f"p{index}" for index in range(10)), SHARES, 1337, str)
    assert (dealt["validation"], dealt["test"]) == (("p1",), ("p3",))


def test_another_seed_draws_another_split() -> None:
    """The seed is not decoration."""
    stems = [f"p{index}" for index in range(50)]
    assert draw_splits(stems, SHARES, 1, str) != draw_splits(stems, SHARES, 2, str)


def test_a_new_picture_moves_only_neighbours_of_a_cut() -> None:
    """Adding one picture to a thousand moves a handful at most: test figures stay comparable."""
    stems = [f"p{index}" for index in range(1000)]
    before, after = (draw_splits(s, SHARES, 1, str) for s in (stems, [*stems, "new"]))
    moved = sum(len(set(before[split]) - set(after[split])) for split in SHARES)
    assert moved <= 4


def test_shares_below_one_leave_pictures_out() -> None:
    """0.5 + 0.1 uses six of ten."""
    shares: dict[SplitName, Fraction] = {"train": Fraction("0.5"), "test": Fraction("0.1")}
    dealt = draw_splits((f"p{index}" for index in range(10)), shares, 1, str)
    assert (len(dealt["train"]), len(dealt["test"])) == (5, 1)


@pytest.mark.parametrize(
    ("pattern", "stem", "group"),
    [
        ("", "m1_2", "m1_2"),
        ("^m[0-9]+", "m1_2", "m1"),
        ("^(m[0-9]+)_", "m1_2", "m1"),
        ("^(m)([0-9]+)", "m1_2", "m\0001"),
        ("^x", "m1_2", "m1_2"),
    ],
)
def test_groups_are_what_the_pattern_finds(pattern: str, stem: str, group: str) -> None:
    """The match, its own groups where it has some, or the stem alone."""
    assert group_function(pattern)(stem) == group


def test_decimal_shares_add_up_exactly() -> None:
    """0.7 + 0.2 + 0.1 is 1 (in binary floating point it is more); 0.8 + 0.2 + 0.1 is refused."""
    assert parse({"train": "0.7", "validation": "0.2", "test": "0.1"}).train == Fraction(7, 10)
    with pytest.raises(ParameterError, match=r"add up to 1\.1"):
        parse({"train": "0.8", "validation": "0.2", "test": "0.1"})


def test_shares_draw_from_what_named_splits_leave(voc: Any) -> None:
    """test.txt keeps its pictures and its groups; the shares divide the rest."""
    voc.pair(*(f"m{meter}_{shot}" for meter in range(10) for shot in range(3)))
    voc.split("test", ["m0_0", "m1_0"])
    values = {"train": "0.8", "validation": "0.2", "group_pattern": "^m[0-9]"}
    dataset = inspect(voc.root, parse(values)).dataset
    assert dataset is not None
    stems = {split: {picture.stem for picture in pictures} for split, pictures in dataset.splits.items()}
    assert stems["test"] == {"m0_0", "m1_0"}
    drawn = stems["train"] | stems["validation"]
    assert len(drawn) == 24
    assert not any(stem.startswith(("m0", "m1")) for stem in drawn)
