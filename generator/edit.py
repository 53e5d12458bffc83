"""Adding to a spec that a person wrote: comments, order and quoting stay as they are. Pure.

ruamel.yaml writes what is added, in the indentation of the text; the lines go in behind the last entry of
their section, so that no other line moves. Only a section in braces, or a value to be set, is written anew.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from generator.errors import Diagnostic, InputError
from generator.spec.reader import Path, Source, read

__all__ = ["add_to_spec", "respelled"]

Entries = Mapping[str, Mapping[str, Any]]

#: Keys whose mappings are written on one line, as people write them.
_ONE_LINE = frozenset({"adopt", "inputs"})
#: Indentations that occur: of mappings, of sequences, of the dash.
_INDENTS = ((2, 4, 2), (2, 2, 0), (4, 6, 4), (4, 4, 0), (4, 6, 2), (3, 3, 0), (8, 10, 8))
_WIDE = 1_000_000


def add_to_spec(path: str, text: str, additions: Entries, values: Mapping[Path, Any] | None = None) -> str:
    """The spec `text` with new entries (section -> name -> entry) at the ends of their sections.

    `values` sets single keys of entries that are there, by their path. Raises InputError about the file
    `path` for a text that is no spec, and where the result would not hold exactly what was there and added.
    """
    ending = "\r\n" if "\r\n" in text else "\n"
    result = plain = text.replace("\r\n", "\n")
    try:
        yaml = _writer(plain)
        if values:
            document = yaml.load(plain)
            for where, value in values.items():
                _at(document, where[:-1])[where[-1]] = _value(value)
            result = _dump(yaml, document)
        for section, entries in additions.items():
            result = _with(yaml, result, section, entries) if entries else result
    except (YAMLError, KeyError, TypeError, AttributeError) as error:
        message = f"cannot be edited, because it is no mapping of sections: {error}"
        raise InputError([Diagnostic(path, 1, 1, "not-a-spec", message)]) from None
    _check(path, plain, result, additions, values or {})
    return result.replace("\n", ending)


def respelled(before: str, after: str) -> int:
    """Lines of `before` that are not in `after` any more."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return sum(line.startswith("- ") for line in lines)


def _writer(text: str) -> YAML:
    """The writer that gives the text back as it is; where none does, the one that comes nearest."""
    tried: list[tuple[int, YAML]] = []
    for mapping, sequence, offset in _INDENTS:
        yaml = YAML()
        yaml.preserve_quotes = True
        yaml.width = _WIDE
        yaml.indent(mapping=mapping, sequence=sequence, offset=offset)
        again = _dump(yaml, yaml.load(text))
        if again == text:
            return yaml
        tried.append((respelled(text, again), yaml))
    return min(tried, key=lambda one: one[0])[1]


def _dump(yaml: YAML, document: Any) -> str:
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _at(document: Any, where: Path) -> Any:
    node = document
    for part in where:
        node = node[part]
    return node


def _with(yaml: YAML, text: str, section: str, entries: Mapping[str, Any]) -> str:
    """The text with `entries` at the end of a section."""
    source = read("", text.encode())
    added = CommentedMap((name, _value(entry)) for name, entry in entries.items())
    if section not in source.data:
        gap = "" if text.endswith("\n") else "\n"
        return f"{text}{gap}\n{_dump(yaml, CommentedMap({section: added}))}"
    indent = _indent(source, section)
    if indent is None:
        document = yaml.load(text)
        document[section] = CommentedMap({**(document[section] or {}), **added})
        return _dump(yaml, document)
    lines = text.splitlines(keepends=True)
    end = _end(lines, source, section)
    lines[end - 1] = lines[end - 1].rstrip("\n") + "\n"
    block = [f"{' ' * indent}{line}\n" for line in _dump(yaml, added).splitlines()]
    return "".join([*lines[:end], *block, *lines[end:]])


def _indent(source: Source, section: str) -> int | None:
    """Blanks before the entries of a section; None for one that is empty or written in braces."""
    entries = source.data[section]
    if not isinstance(entries, dict) or not entries:
        return None
    line, column = source.positions.keys[section, next(iter(entries))]
    own = source.positions.keys[(section,)][0]
    return column - 1 if line > own and source.positions.values[(section,)] == (line, column) else None


def _end(lines: list[str], source: Source, section: str) -> int:
    """How many lines there are up to the last one of a section; comments of the next one are not its own."""
    keys = source.positions.keys
    begin = keys[(section,)][0]
    later = [line for path, (line, _) in keys.items() if len(path) == 1 and line > begin]
    end = min(later, default=len(lines) + 1) - 1
    while end > begin and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return end


def _value(value: Any, key: str = "") -> Any:
    """Plain data as ruamel.yaml writes it: short mappings on one line, text quoted where that is safer."""
    if isinstance(value, Mapping):
        made = CommentedMap((name, _value(item, str(name))) for name, item in value.items())
        if key in _ONE_LINE:
            made.fa.set_flow_style()
        return made
    if isinstance(value, list | tuple):
        items = CommentedSeq(_value(item) for item in value)
        items.fa.set_flow_style()
        return items
    return DoubleQuotedScalarString(value) if isinstance(value, str) and not _is_word(value) else value


def _is_word(text: str) -> bool:
    """Whether every reader takes the bare text for this very text."""
    source = read("", f"a: {text}\n".encode())
    plain = source.data == {"a": text} and not source.diagnostics and type(source.data["a"]) is str
    return plain and text[:1].isalpha() and text.casefold() not in {"y", "n", "yes", "no", "on", "off"}


def _check(path: str, before: str, after: str, additions: Entries, values: Mapping[Path, Any]) -> None:
    """No writer of YAML is believed: both texts are read again by the reader of specs."""
    wanted, found = read(path, before.encode()), read(path, after.encode())
    expected = wanted.data if isinstance(wanted.data, dict) else {}
    for section, entries in additions.items():
        if entries:
            expected[section] = {**(expected.get(section) or {}), **_plain(entries)}
    for where, value in values.items():
        _at(expected, where[:-1])[where[-1]] = _plain(value)
    if wanted.diagnostics or found.diagnostics or found.data != expected:
        message = "cannot be added to without changing what it says; write the entries with `--out FILE`"
        raise InputError([*wanted.diagnostics, Diagnostic(path, 1, 1, "cannot-insert", message)])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
