"""YAML as data with positions, read strictly.

A spec is a tree that a person wrote: anchors, aliases, tags, merge keys, several documents, duplicate keys
and complex keys are refused, and so is anything oversized. Plain scalars follow YAML 1.2: `no` and `on` are
words, `1e-3` is a number, and a number with leading zeros stays text, because YAML 1.1 reads it as octal and
YAML 1.2 does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from generator.errors import Diagnostic
from generator.spec.scalars import SourceFloat, SourceInt

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 20
MAX_NODES = 200_000

Path = tuple[str | int, ...]
Position = tuple[int, int]

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Positions:
    """Where each value and each key of a document stands: line and column from 1."""

    values: dict[Path, Position] = field(default_factory=dict)
    keys: dict[Path, Position] = field(default_factory=dict)

    def of(self, path: Path) -> Position:
        """Position of a value, or of the nearest ancestor that exists."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def of_key(self, path: Path) -> Position:
        """Position of a key, or of the nearest value when there is no such key."""
        return self.keys.get(path) or self.of(path)


@dataclass(frozen=True)
class Source:
    """One file as read: its data (None when unusable), positions and findings."""

    path: str
    data: Any
    positions: Positions
    diagnostics: tuple[Diagnostic, ...]


def read(path: str, content: bytes) -> Source:
    """Read one YAML document. Never raises for bad content: every finding is in `diagnostics`."""
    reader = _Reader(path)
    text = reader.decode(content)
    data = None if text is None else reader.document(text)
    return Source(path, data, reader.positions, tuple(reader.diagnostics))


class _RefusedError(Exception):
    """Reading cannot go on; the reason has been noted."""


class _Reader:
    """Builds plain data from parse events, so that nothing is constructed before it has been judged."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.positions = Positions()
        self.diagnostics: list[Diagnostic] = []
        self._nodes = 0
        self._aliased: set[str] = set()
        self._open_anchors: list[str | None] = []

    def note(self, position: Position, code: str, message: str) -> None:
        self.diagnostics.append(Diagnostic(self.path, *position, code, message))

    def decode(self, content: bytes) -> str | None:
        if len(content) > MAX_BYTES:
            self.note(
                (1, 1), "too-large", f"the file has more than {MAX_BYTES} bytes; split it into several specs"
            )
            return None
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
            self.note((line, column), "not-utf8", "the file is not UTF-8 text; save it as UTF-8")
            return None

    def document(self, text: str) -> Any:
        try:
            return self._single_document(yaml.parse(text, Loader=_LOADER))
        except _RefusedError:
            return None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            self.note(position, "yaml-syntax", error.problem or "the file is not YAML")
        except yaml.reader.ReaderError as error:
            position = (text.count("\n", 0, error.position) + 1, 1)
            self.note(
                position, "yaml-syntax", "the file holds a control character that YAML forbids; remove it"
            )
        except RecursionError:
            self.note((1, 1), "too-deep", f"nested deeper than {MAX_DEPTH} levels")
        return None

    def _single_document(self, events: Iterator[yaml.Event]) -> Any:
        data: Any = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(
                        event,
                        "several-documents",
                        "one file holds one document; move this one to its own file",
                    )
            elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent | yaml.AliasEvent):
                data = self._value(event, events, ())
        if documents == 0 or data is None:
            self.note((1, 1), "empty-file", "the file holds no document; delete it or write a spec")
            return None
        if not isinstance(data, dict):
            self.note(
                (1, 1), "not-a-mapping", "a spec begins with `apiVersion: corespec/v1`: keys and values"
            )
            return None
        return data

    def _refuse(self, event: yaml.Event, code: str, message: str) -> None:
        self.note(_position(event), code, message)
        raise _RefusedError

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Any:
        """The data of the node that begins with `event`. Called for every value: written for speed."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(
                event,
                "too-large",
                f"the file holds more than {MAX_NODES} values; split it into several specs",
            )
        if len(path) > MAX_DEPTH:
            self._refuse(event, "too-deep", f"nested deeper than {MAX_DEPTH} levels; no spec needs that")
        self.positions.values[path] = _position(event)
        if isinstance(event, yaml.ScalarEvent):
            if event.anchor or event.tag:
                self._judge(event)
            text = self._checked(event)
            return text if event.style else plain_scalar(text)
        return self._collection(event, events, path)

    def _collection(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Any:
        if not isinstance(event, yaml.CollectionStartEvent):
            if isinstance(event, yaml.AliasEvent):
                self._alias(event)
            return None
        if event.anchor or event.tag:
            self._judge(event)
        self._open_anchors.append(event.anchor)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        collection = self._mapping(events, path) if is_mapping else self._sequence(events, path)
        self._open_anchors.pop()
        return collection

    def _judge(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        """Note what makes a node more than a plain value; reading goes on, so that all of it is reported."""
        if event.anchor:
            message = f"anchors are not part of the spec language; remove `&{event.anchor}`"
            self.note(_position(event), "yaml-anchor", message)
        if event.tag:
            message = "tags are not part of the spec language; remove the word that begins with `!`"
            self.note(_position(event), "yaml-tag", message)

    def _alias(self, event: yaml.AliasEvent) -> None:
        """Note the first alias of each anchor; a bomb holds thousands."""
        name = str(event.anchor)
        if name in self._aliased:
            return
        self._aliased.add(name)
        cycle = f"`*{name}` lies inside of `&{name}`, a cycle; " if name in self._open_anchors else ""
        message = f"{cycle}aliases are not part of the spec language; write the value of `*{name}` out"
        self.note(_position(event), "yaml-alias", message)

    def _sequence(self, events: Iterator[yaml.Event], path: Path) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[yaml.Event], path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        keys = self.positions.keys
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event)
            here = (*path, key)
            if key in result:
                line, column = keys[here]
                self.note(
                    _position(event),
                    "duplicate-key",
                    f"`{key}` is already given at {line}:{column}; keep one",
                )
                self._value(next(events), events, (*path, f"{key}\0{self._nodes}"))
                continue
            keys[here] = _position(event)
            result[key] = self._value(next(events), events, here)
        return result

    def _key(self, event: yaml.Event) -> str:
        if isinstance(event, yaml.ScalarEvent):
            if event.anchor or event.tag:
                self._judge(event)
            if event.value == "<<" and not event.style:
                self._refuse(
                    event, "yaml-merge", "merge keys are not part of the spec language; write the values out"
                )
            return self._checked(event)
        if isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._judge(event)
        self._refuse(event, "yaml-key", "a key must be a plain word")
        raise AssertionError("unreachable")

    def _checked(self, event: yaml.ScalarEvent) -> str:
        text: str = event.value
        if not text.isascii() and _SURROGATE.search(text):
            self._refuse(
                event, "yaml-syntax", "the text holds half of a surrogate pair; write the character itself"
            )
        return text


def plain_scalar(text: str) -> Any:
    """Meaning of an unquoted scalar under the YAML 1.2 core schema, decimal numbers only."""
    if text[:1].isalpha() and text[0] not in "nNtTfF":
        return text  # the first letter of no other meaning: nearly all words of a spec
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return SourceInt(text) if len(text) <= 18 else SourceFloat(text)
    return SourceFloat(text) if _FLOAT.fullmatch(text) else text


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def lookup(data: Any, path: Path) -> Any:
    """The value at `path`, or None."""
    for step in path:
        if isinstance(data, Mapping) or (
            isinstance(data, list) and isinstance(step, int) and step < len(data)
        ):
            data = data.get(step) if isinstance(data, Mapping) else data[step]  # type: ignore[index]
        else:
            return None
    return data
