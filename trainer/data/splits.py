"""Drawing splits by share: pure, deterministic, independent of file order and of the machine.

Groups are put in the order of SHA-256(seed, group) and the line they form is cut at the shares. The counts
are as exact as the groups allow, and another file in the folder moves only pictures next to a cut.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from trainer.data.records import SplitName


def group_function(pattern: str) -> Callable[[str], str]:
    """The group of a file stem: what ``pattern`` (or its own groups) finds in it, else the whole stem.

    Folders before the last / are not searched.
    """
    if not pattern:
        return lambda stem: stem
    expression = re.compile(pattern)

    def group(stem: str) -> str:
        match = expression.search(stem.rpartition("/")[2])
        if match is None:
            return stem
        return "\0".join(part or "" for part in match.groups()) if match.groups() else match.group()

    return group


def draw_splits(
    stems: Iterable[str], shares: Mapping[SplitName, Fraction], seed: int, group: Callable[[str], str]
) -> dict[SplitName, tuple[str, ...]]:
    """Deal ``stems`` to the splits of ``shares`` (each > 0, at most 1 in all), group by group.

    Shares that add up to 1 use every stem. A split is empty only where there are fewer groups than splits.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for stem in sorted(set(stems)):
        groups[group(stem)].append(stem)
    order = sorted(groups, key=lambda name: (hashlib.sha256(f"{seed}\0{name}".encode()).digest(), name))
    total = sum(map(len, groups.values()))
    dealt: dict[SplitName, list[str]] = {split: [] for split in shares}
    passed = 0
    for name in order:
        # A group belongs where its middle falls: that rounds to the nearest count.
        middle = Fraction(2 * passed + len(groups[name]), 2 * total)
        passed += len(groups[name])
        if (split := _split_at(middle, shares)) is not None:
            dealt[split].append(name)
    _fill_empty(dealt)
    return {
        split: tuple(sorted(stem for name in names for stem in groups[name]))
        for split, names in dealt.items()
    }


def _split_at(position: Fraction, shares: Mapping[SplitName, Fraction]) -> SplitName | None:
    edge = Fraction(0)
    for split, share in shares.items():
        edge += share
        if position < edge:
            return split
    return None


def _fill_empty(dealt: dict[SplitName, list[str]]) -> None:
    """Give an empty split one group of the fullest: 0.1 of five pictures is one picture, not none."""
    for names in dealt.values():
        largest = max(dealt.values(), key=len)
        if not names and len(largest) > 1:
            names.append(largest.pop())
