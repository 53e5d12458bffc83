"""Template files as data with positions: YAML streams or JSON, as Kubernetes reads them.

Unlike specs (`generator.spec.reader`), files that somebody wrote by hand may hold several documents, anchors
and merge keys. Plain scalars follow the YAML library of Kubernetes: `yes` and `on` are booleans, `0o17` and
`017` are numbers, dates are text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from generator.errors import Diagnostic
from generator.spec.reader import Path, Position, Positions

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 200_000

_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAG = "tag:yaml.org,2002:str"


@dataclass
class Places(Positions):
    """Positions of values and keys, and where the lines of literal texts (`|`) begin: line and column of the
    first character."""

    texts: dict[Path, Position] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """Why reading stopped, or what is wrong with what was read."""

    position: Position
    code: str
    message: str


@dataclass(frozen=True)
class Read:
    """The documents of a text (empty ones are left out), each with its positions, and what is wrong."""

    documents: tuple[tuple[Any, Places], ...]
    problems: tuple[Problem, ...]


def read_file(path: str, content: bytes) -> tuple[Read, tuple[Diagnostic, ...]]:
    """The documents of a template file, and every finding about its form. Never raises for bad content."""
    if not path.lower().endswith((".yaml", ".yml", ".json")):
        problem = Problem(
            (1, 1), "file-type", "is neither YAML nor JSON by its name; AI Core would not read it"
        )
        read = Read((), (problem,))
    else:
        read = _decoded(content, as_json=path.lower().endswith(".json"))
    found = tuple(Diagnostic(path, *item.position, item.code, item.message) for item in read.problems)
    return read, found


def _decoded(content: bytes, *, as_json: bool) -> Read:
    if len(content) > MAX_BYTES:
        return Read((), (Problem((1, 1), "unreadable", f"has more than {MAX_BYTES} bytes; split it"),))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Read((), (Problem((line, 1), "unreadable", "is not UTF-8 text; save it as UTF-8"),))
    read = _json(text) if as_json else read_text(text)
    if read.documents or read.problems:
        return read
    return Read((), (Problem((1, 1), "no-template", "holds no template; delete it or write one"),))


def _json(text: str) -> Read:
    """Data from the JSON parser, positions from the YAML parser where it agrees that this is one document."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        return Read((), (Problem((error.lineno, error.colno), "yaml-syntax", f"is no JSON: {error.msg}"),))
    except (ValueError, RecursionError):
        return Read((), (Problem((1, 1), "unreadable", "is nested too deeply, or holds an endless number"),))
    read = read_text(text)
    places = read.documents[0][1] if len(read.documents) == 1 else Places()
    doubled = tuple(problem for problem in read.problems if problem.code == "duplicate-key")
    return Read(((data, places),), doubled)


def read_text(text: str) -> Read:
    """The documents of a YAML stream. Never raises for bad content."""
    builder = _Builder(text.splitlines())
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except _RefusedError as refused:
        builder.problems.append(refused.problem)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        builder.problems.append(Problem(position, "yaml-syntax", error.problem or "is no YAML"))
    except yaml.reader.ReaderError as error:
        position = (text.count("\n", 0, error.position) + 1, 1)
        message = "holds a character that YAML forbids; remove it"
        builder.problems.append(Problem(position, "yaml-syntax", message))
    except RecursionError:
        builder.problems.append(Problem((1, 1), "unreadable", f"is nested deeper than {MAX_DEPTH} levels"))
    return Read(tuple(builder.documents), tuple(builder.problems))


class _RefusedError(Exception):
    def __init__(self, position: Position, message: str) -> None:
        self.problem = Problem(position, "unreadable", message)
        super().__init__(message)


@dataclass
class _Open:
    """A collection that is being read: where it stands, what it holds, the key that waits for its value."""

    path: Path
    data: Any
    anchor: str | None
    start: int
    key: str | None = None
    merged: list[Any] = field(default_factory=list)


class _Builder:
    """Builds data from parse events with a stack of its own, so that neither depth nor aliases can hurt."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.documents: list[tuple[Any, Places]] = []
        self.problems: list[Problem] = []
        self._places = Places()
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the stream."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._places, self._anchors = Places(), {}
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        if len(self._stack) > MAX_DEPTH:
            raise _RefusedError(_position(event), f"is nested deeper than {MAX_DEPTH} levels")
        if self._waits_for_key():
            raise _RefusedError(_position(event), "a key must be a plain word")
        path = self._mark(event)
        data: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._stack.append(_Open(path, data, event.anchor, self._nodes))

    def _end(self) -> None:
        done = self._stack.pop()
        for source in done.merged:
            for key, value in source.items():
                done.data.setdefault(key, value)
        self._put(done.data, done.anchor, self._nodes - done.start + 1)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if self._waits_for_key():
            self._take_key(event)
            return
        path = self._mark(event)
        plain = event.style in {None, ""} and event.tag != _TEXT_TAG
        if event.style == "|":
            self._note_literal(event, path)
        self._put(scalar(event.value) if plain else event.value, event.anchor, 1)

    def _note_literal(self, event: yaml.ScalarEvent, path: Path) -> None:
        """Lines of a literal text stand below its `|`; the first that is not empty shows how far indented."""
        line, _ = _position(event)
        inner = next((text for text in event.value.splitlines() if text.strip()), "")
        outer = next((text for text in self.lines[line:] if text.strip()), "")
        column = len(outer) - len(outer.lstrip(" ")) - (len(inner) - len(inner.lstrip(" ")))
        self._places.texts[path] = (line + 1, column + 1)

    def _take_key(self, event: yaml.ScalarEvent) -> None:
        holder = self._stack[-1]
        holder.key = event.value
        here = (*holder.path, holder.key)
        if here in self._places.keys:
            line, column = self._places.keys[here]
            message = f"`{holder.key}` is already given at {line}:{column}; keep one"
            self.problems.append(Problem(_position(event), "duplicate-key", message))
        self._places.keys[here] = _position(event)

    def _alias(self, event: yaml.AliasEvent) -> None:
        if self._waits_for_key():
            raise _RefusedError(_position(event), "a key must be a plain word")
        if event.anchor not in self._anchors:
            message = f"`*{event.anchor}` names nothing above it, or lies inside of what it names"
            raise _RefusedError(_position(event), message)
        self._mark(event)
        data, size = self._anchors[event.anchor]
        self._nodes += size
        self._put(data, None, size)

    def _waits_for_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].data, dict) and self._stack[-1].key is None

    def _mark(self, event: yaml.Event) -> Path:
        """Note where the next value stands; returns its path."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _RefusedError(_position(event), f"holds more than {MAX_NODES} values")
        path: Path = ()
        if self._stack:
            holder = self._stack[-1]
            path = (*holder.path, len(holder.data) if holder.key is None else holder.key)
        self._places.values[path] = _position(event)
        return path

    def _put(self, data: Any, anchor: str | None, size: int) -> None:
        """Put a value that is complete where it belongs."""
        if anchor:
            self._anchors[anchor] = (data, size)
        if not self._stack:
            if data is not None:
                self.documents.append((data, self._places))
            return
        holder = self._stack[-1]
        if isinstance(holder.data, list):
            holder.data.append(data)
        elif holder.key == "<<" and _mappings(data):
            holder.merged += data if isinstance(data, list) else [data]
            holder.key = None
        else:
            holder.data[holder.key] = data
            holder.key = None


def _mappings(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and all(isinstance(item, dict) for item in value)
    )


def scalar(text: str) -> Any:
    """Meaning of an unquoted scalar for Kubernetes."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) <= 18:
        bare = text.replace("_", "")
        octal = re.fullmatch(r"([-+]?)0([0-7]+)", bare)
        return int(f"{octal[1]}{octal[2]}", 8) if octal else int(bare, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
