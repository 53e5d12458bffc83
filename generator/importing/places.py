"""Places in a template: words that stand for them while the rest is written as YAML, and what they become."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from generator.emit import emit

_JINJA = re.compile(r"<[<%#]")
_TOKEN = "importedxplacex"  # noqa: S105 - no secret: a word that stands for a place


class Places:
    """Words that stand for a place while the rest is written as YAML."""

    def __init__(self) -> None:
        self._inline: dict[str, str] = {}
        self._blocks: dict[str, tuple[list[str], Any]] = {}
        self._texts: dict[str, list[str]] = {}

    def inline(self, expression: str) -> str:
        """A place for one value."""
        word = self._word()
        self._inline[word] = expression
        return word

    def block(self, lines: list[str], rest: Any) -> str:
        """A place for lines that stand below a key (`KEY:` for the key itself), and for data behind them."""
        word = self._word()
        self._blocks[word] = (lines, rest)
        return word

    def inside(self, head: str, expression: str) -> str:
        """A line of a text that ends in a place."""
        return head + self.inline(expression)

    def text(self, lines: Sequence[str], before: Sequence[str] = ()) -> str:
        """A place for a text of several lines; `before` are lines of Jinja that stand first."""
        word = self._word()
        self._texts[word] = [*(f"\0{line}" for line in before), *lines]
        return word

    def filled(self, line: str) -> list[str]:
        """A line of YAML as lines of the template."""
        head, _, word = line.rpartition(" ")
        blanks = blanks_of(line)
        if word in self._texts:
            inner = (self._text_line(item, blanks) for item in self._texts[word])
            return [*self._escaped(f"{head} |"), *inner]
        if word in self._blocks:
            return self._block(blanks, head.strip(), *self._blocks[word])
        if word in self._inline:
            return [f"{head} {self._inline[word]}"]
        return self._escaped(line)

    def _block(self, blanks: str, key: str, lines: list[str], rest: Any) -> list[str]:
        own_key = "KEY:" in lines
        result = [] if own_key else [f"{blanks}{key}"]
        for line in lines:
            is_statement = line.startswith("<%")
            result.append(
                line if is_statement else f"{blanks}{key if line == 'KEY:' else f'  {line.strip()}'}"
            )
        behind = emit(rest).rstrip("\n").split("\n") if rest else []
        return [*result, *(item for line in behind for item in self._escaped(f"{blanks}  {line}"))]

    def _text_line(self, line: str, blanks: str) -> str:
        if line.startswith("\0"):
            statement = line[1:]
            return statement if statement.startswith("<%") else f"{blanks}  {statement}"
        head, _, word = line.rpartition(" ")
        if word in self._inline:
            return f"{blanks}  {head} {self._inline[word]}"
        return self._escaped(f"{blanks}  {line}".rstrip())[0]

    def _escaped(self, line: str) -> list[str]:
        if not _JINJA.search(line):
            return [line]
        return [f"{blanks_of(line)}<%+ raw %>{line.lstrip(' ')}<% endraw +%>"]

    def _word(self) -> str:
        return f"{_TOKEN}{len(self._inline) + len(self._blocks) + len(self._texts)}x"


def blanks_of(line: str) -> str:
    """The blanks that a line begins with."""
    return line[: len(line) - len(line.lstrip(" "))]


def holds_reserved_words(document: Mapping[str, Any]) -> bool:
    """Whether a template holds words that would be mistaken for places or for the end of raw text."""
    text = json.dumps(document)
    return _TOKEN in text or bool(re.search(r"<%[-+]?\s*endraw", text))
