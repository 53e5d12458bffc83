"""Filled templates become data without reading the same YAML again and again.

Thousands of executables fill one text, and what differs between them are quoted words. So the text is read
once with a marker for every word, and that *mold* gives the data of every other filling: what stands between
the words is compared, character by character, and a text with anything else between them gets a mold of its
own. A double-quoted scalar on one line can hold anything without changing what is around it; where a word is
no scalar of its own (in a comment that is harmless, in a block of text or a bare word it is not), there is no
mold, and the text is read in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import yaml

from generator.templating import Literal, literal

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARK = "⁜"  # stands as it is in quotes; a text that holds it gets no mold
_LONGEST_KEY = 1000  # YAML looks for the colon of a key in the next 1,024 characters


class _Slot(str):
    """Stands where the word of this number belongs; a str, so that it can be a key."""

    __slots__ = ("number",)
    number: int


def load(chunks: Sequence[str]) -> Any:
    """The data of a filled YAML text, given in chunks of which every `Literal` is one quoted word.

    The result is the caller's own. Raises yaml.YAMLError where the text is no YAML.
    """
    words = [chunk for chunk in chunks if type(chunk) is Literal]
    mold = _mold(tuple(None if type(chunk) is Literal else chunk for chunk in chunks))
    if mold is None or max(map(len, words), default=0) > _LONGEST_KEY:
        return read("".join(chunks))
    return _cast(mold, [word.meaning for word in words])


def read(text: str) -> Any:
    """The data of a YAML text. Raises yaml.YAMLError."""
    try:
        return _LOADER(text).get_single_data()
    except (ValueError, LookupError, AttributeError) as error:  # what PyYAML makes of `!!int ""` and the like
        raise yaml.YAMLError(f"a value does not fit its tag: {error}") from None


@lru_cache(maxsize=256)
def _mold(chunks: tuple[str | None, ...]) -> Any:
    """The data with a slot for every word (None in `chunks`); None where that cannot be."""
    if any(_MARK in chunk for chunk in chunks if chunk is not None):
        return None
    markers = iter(range(len(chunks)))
    text = "".join(literal(_marker(next(markers))) if chunk is None else chunk for chunk in chunks)
    numbers = {_marker(number): number for number in range(chunks.count(None))}
    try:
        return _slotted(read(text), numbers)
    except (yaml.YAMLError, _UnfitError):
        return None


class _UnfitError(Exception):
    """A word is no scalar of its own."""


def _marker(number: int) -> str:
    return f"{_MARK}{number}{_MARK}"


def _slotted(value: Any, numbers: dict[str, int]) -> Any:
    if isinstance(value, dict):
        return {_slotted(key, numbers): _slotted(item, numbers) for key, item in value.items()}
    if isinstance(value, list):
        return [_slotted(item, numbers) for item in value]
    if not isinstance(value, str):
        return value if value is None or isinstance(value, bool | int | float) else _refuse()
    if value in numbers:
        slot = _Slot(value)
        slot.number = numbers[value]
        return slot
    return _refuse() if _MARK in value else value


def _refuse() -> Any:
    raise _UnfitError


def _cast(value: Any, words: list[str]) -> Any:
    """A copy of the mold with the words in their slots."""
    kind = type(value)
    if kind is dict:
        return {
            (words[key.number] if type(key) is _Slot else key): (
                item if type(item) is str else _cast(item, words)
            )
            for key, item in value.items()
        }
    if kind is list:
        return [_cast(item, words) for item in value]
    return words[value.number] if kind is _Slot else value
