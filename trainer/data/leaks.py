"""Pictures that stand in two splits: measured figures are only worth something without them.

The picture stays in the split that measures (test before validation before train) and is a fault of
the other one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from trainer.data.examine import Examined
from trainer.data.findings import Finding
from trainer.data.layout import Item
from trainer.data.records import SplitName

Members = Mapping[SplitName, Sequence[Item]]
Leaks = dict[SplitName, dict[Item, Finding]]

_MEASURING_FIRST: tuple[SplitName, ...] = ("test", "validation", "train", "index")
_LEARNED: frozenset[SplitName] = frozenset({"train", "index"})
"""A picture may be both: nothing is measured on it."""


def _place(item: Item) -> tuple[str, int]:
    return (item.asked_by, item.line) if item.asked_by else (item.stem, 0)


def find_leaks(members: Members, group: Callable[[str], str] | None, shared: bool) -> Leaks:
    """The items to take out of each split.

    Without ``group`` every picture stands alone; ``shared``: validation and test are meant to be the same.
    """
    leaks: Leaks = {split: {} for split in members}
    owners: dict[object, SplitName] = {}
    for split in (name for name in _MEASURING_FIRST if name in members):
        for item in members[split]:
            keys: list[tuple[str, object]] = [("split-leak", item.pictures or item.stem)]
            if group is not None:
                keys.append(("group-leak", group(item.stem)))
            for code, key in keys:
                owner = owners.setdefault((code, key), split)
                if _conflict(split, owner, shared):
                    what = f"{item.stem!r}" if code == "split-leak" else f"the group {key!r} of {item.stem!r}"
                    finding = Finding(*_place(item), code, f"{split}: {what} stands in {owner}, too")
                    leaks[split].setdefault(item, finding)
    return leaks


def _conflict(split: SplitName, other: SplitName, shared: bool) -> bool:
    pair = {split, other}
    return len(pair) == 2 and pair != _LEARNED and not (shared and pair == {"validation", "test"})


def find_twins(members: Members, examined: Mapping[Item, Examined], shared: bool) -> list[Finding]:
    """Notes on different files in different splits that have the same bytes or the same name."""
    by_content: dict[str, dict[SplitName, Item]] = defaultdict(dict)
    by_stem: dict[str, dict[SplitName, Item]] = defaultdict(dict)
    for split, items in members.items():
        if shared and split == "test":
            continue
        for item in items:
            by_stem[item.stem].setdefault(split, item)
            if sha256 := examined[item].sha256:
                by_content[sha256].setdefault(split, item)
    notes = []
    for code, table in (("identical-pictures", by_content), ("stem-shared", by_stem)):
        for found in table.values():
            if len({item.pictures for item in found.values()}) > 1:
                places = [f"{item.stem!r} in {split}" for split, item in found.items()]
                file, line = _place(next(iter(found.values())))
                notes.append(Finding(file, line, code, " and ".join(places)))
    return notes
