"""No picture and no group is measured after it was trained on, whatever the lists say."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trainer.data.layout import Item
from trainer.data.leaks import find_leaks
from trainer.data.records import SPLIT_NAMES, SplitName

STEMS = st.lists(st.sampled_from([f"m{m}_{s}" for m in range(4) for s in range(3)]), unique=True)
LISTS = st.fixed_dictionaries({split: STEMS for split in SPLIT_NAMES if split != "index"})
SEARCHED = st.fixed_dictionaries(dict.fromkeys(SPLIT_NAMES, STEMS))


def item(stem: str, split: str) -> Item:
    return Item(stem, (Path(f"{stem}.jpg"),), (Path(f"{stem}.xml"),), asked_by=f"{split}.txt", line=1)


def kept(lists: dict[SplitName, list[str]], grouped: bool, shared: bool = False) -> dict[SplitName, set[str]]:
    """What stays in each split after the leaks have been taken out."""
    members = {split: [item(stem, split) for stem in stems] for split, stems in lists.items()}
    leaks = find_leaks(members, (lambda stem: stem.split("_")[0]) if grouped else None, shared)
    return {split: {i.stem for i in items if i not in leaks[split]} for split, items in members.items()}


@given(LISTS)
def test_no_picture_stays_in_two_splits(lists: dict[SplitName, list[str]]) -> None:
    """Disjoint afterwards, and nothing is lost: every picture stays in exactly one split that named it."""
    splits = kept(lists, grouped=False)
    assert sum(map(len, splits.values())) == len({stem for stems in lists.values() for stem in stems})
    assert set().union(*splits.values()) == {stem for stems in lists.values() for stem in stems}


@given(LISTS)
def test_no_group_stays_in_two_splits(lists: dict[SplitName, list[str]]) -> None:
    """With groups the meters are disjoint; the test split never loses a picture."""
    splits = kept(lists, grouped=True)
    meters = [{stem[:2] for stem in stems} for stems in splits.values()]
    assert sum(map(len, meters)) == len(set().union(*meters))
    assert splits["test"] == set(lists["test"])


@given(SEARCHED, st.booleans())
def test_no_query_is_in_the_index(lists: dict[SplitName, list[str]], grouped: bool) -> None:
    """A training picture may be searched, too; one that is measured may not."""
    splits = kept(lists, grouped)
    for measured in ("test", "validation"):
        assert not splits["index"] & splits[measured]  # type: ignore[index]
    measured_too = {*lists["test"], *lists["validation"]}
    if not grouped:
        assert splits["index"] == set(lists["index"]) - measured_too


@given(LISTS)
def test_a_shared_test_list_only_leaks_into_train(lists: dict[SplitName, list[str]]) -> None:
    """Where test is the validation list on purpose, both keep everything."""
    lists["test"] = lists["validation"]
    splits = kept(lists, grouped=False, shared=True)
    assert splits["test"] == splits["validation"] == set(lists["test"])
    assert not splits["train"] & splits["test"]


def test_the_message_names_both_splits() -> None:
    """A person must find the line to delete."""
    members = {"train": [item("a", "train")], "test": [item("a", "test")]}
    leaks = find_leaks(members, None, shared=False)  # type: ignore[arg-type]
    (finding,) = leaks["train"].values()
    assert str(finding) == "train.txt:1: split-leak: train: 'a' stands in test, too"
