"""Setting and removing one key of a spec that a person wrote: no other character of it moves. Pure.

The text is cut and joined where the parser says that keys and values stand; nothing is written anew, so
comments, order, quoting and blanks stay. What comes out is read again, and has to hold what was meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from generator.errors import Diagnostic, InputError
from generator.spec.reader import read

__all__ = ["Flow", "remove_key", "set_key"]

Where = Sequence[str]
_NULL = "tag:yaml.org,2002:null"
_Pairs = list[tuple[yaml.Node, yaml.Node]]


class Flow(str):
    """The text of a value on one line of YAML."""

    __slots__ = ()


def set_key(path: str, text: str, where: Where, value: Flow, holds: Any) -> str:
    """The text with the key at `where` set to `value`, which reads as `holds`; what lies between is made.

    A key that is there keeps its place, a new one comes last. Raises InputError about the file `path`.
    """
    if "\r\n" in text:
        return set_key(path, text.replace("\r\n", "\n"), where, value, holds).replace("\n", "\r\n")
    root = _parsed(path, text)
    node, depth = _deepest(root, where)
    if depth == len(where):
        key, old = _pair(_at(root, where[:-1]), where[-1])
        result = _cut(text, key.start_mark.index, _end(old), f"{where[-1]}: {value}")
    elif not isinstance(node, yaml.MappingNode):
        if node.tag != _NULL:
            raise InputError([_by_hand(path, where)])
        inner = _one_line(where[depth:], value)
        result = _cut(
            text, node.start_mark.index, node.end_mark.index, f" {inner}" if not node.value else inner
        )
    elif _in_braces(node):
        result = _into_braces(text, node, _entry(where[depth:], value))
    else:
        result = _onto_new_lines(text, node, where[depth:], value)
    return _checked(path, text, result, where, holds)


def remove_key(path: str, text: str, where: Where, *, keep: int = 1) -> str:
    """The text without the key at `where`, and without mappings that it leaves empty, down to `keep` levels.

    The text itself where there is no such key. Raises InputError about the file `path`.
    """
    root = _parsed(path, text)
    if _deepest(root, where)[1] < len(where):
        return text
    while len(where) > keep and len(_pairs(_at(root, where[:-1]))) == 1:
        where = where[:-1]
    parent = _at(root, where[:-1])
    pairs = _pairs(parent)
    number = next(i for i, (key, _) in enumerate(pairs) if key.value == where[-1])
    key, value = pairs[number]
    if not _in_braces(parent):
        begin = text.rfind("\n", 0, key.start_mark.index) + 1
        result = _cut(text, begin, _line_end(text, _end(value)), "")
        if len(pairs) == 1 and len(where) > 1:  # `keep` says that its block stays: nothing is another value
            name, _ = _pair(_at(root, where[:-2]), where[-2])
            colon = text.index(":", name.end_mark.index) + 1
            result = _cut(result, colon, colon, " {}")
    elif number:
        result = _cut(text, _end(pairs[number - 1][1]), _end(value), "")
    elif len(pairs) > 1:
        result = _cut(text, key.start_mark.index, pairs[1][0].start_mark.index, "")
    else:
        result = _cut(text, key.start_mark.index, _end(value), "")
    return _checked(path, text, result, where, None)


def _parsed(path: str, text: str) -> yaml.Node:
    source = read(path, text.encode())
    if source.diagnostics or not isinstance(source.data, dict):
        raise InputError([*source.diagnostics] or [Diagnostic(path, 1, 1, "not-a-spec", "holds no mapping")])
    node = yaml.compose(text, yaml.SafeLoader)
    assert node is not None  # the reader has found a mapping
    return node


def _pairs(node: yaml.Node) -> _Pairs:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _in_braces(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _pair(node: yaml.Node, name: str) -> tuple[yaml.Node, yaml.Node]:
    return next((key, value) for key, value in _pairs(node) if key.value == name)


def _at(node: yaml.Node, where: Where) -> yaml.Node:
    for name in where:
        node = _pair(node, name)[1]
    return node


def _deepest(node: yaml.Node, where: Where) -> tuple[yaml.Node, int]:
    """The node that is reached, and by how many of the names."""
    for depth, name in enumerate(where):
        if name not in [key.value for key, _ in _pairs(node)]:
            return node, depth
        node = _pair(node, name)[1]
    return node, len(where)


def _end(node: yaml.Node) -> int:
    """Where the last character of a node ends; the end of a block is that of its last value."""
    if isinstance(node, yaml.CollectionNode) and not _in_braces(node) and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.index
    return end


def _line_end(text: str, index: int) -> int:
    """Behind the line break of the line in which `index` stands; a text in lines ends behind its own."""
    if index and text[index - 1] == "\n":
        return index
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def _cut(text: str, begin: int, end: int, new: str) -> str:
    return text[:begin] + new + text[end:]


def _one_line(where: Where, value: str) -> str:
    return f"{{{_entry(where, value)}}}" if where else value


def _entry(where: Where, value: str) -> str:
    return f"{where[0]}: {_one_line(where[1:], value)}"


def _into_braces(text: str, node: yaml.MappingNode, entry: str) -> str:
    if node.value:
        end = _end(node.value[-1][1])
        return _cut(text, end, end, f", {entry}")
    return _cut(text, node.start_mark.index + 1, node.end_mark.index - 1, entry)


def _onto_new_lines(text: str, node: yaml.MappingNode, where: Where, value: str) -> str:
    end = _line_end(text, _end(node))
    gap = "" if text[:end].endswith("\n") else "\n"
    column: int = node.value[0][0].start_mark.column
    lines = [f"{' ' * (column + 2 * depth)}{name}:" for depth, name in enumerate(where)]
    return _cut(text, end, end, gap + "\n".join(lines) + f" {value}\n")


def _checked(path: str, before: str, after: str, where: Where, holds: Any) -> str:
    """No cut is believed: both texts are read by the reader of specs."""
    found = read(path, after.encode())
    expected = _changed(read(path, before.encode()).data, where, holds)
    if found.diagnostics or found.data != expected:
        raise InputError([_by_hand(path, where)])
    return after


def _by_hand(path: str, where: Where) -> Diagnostic:
    message = f"`{'.'.join(where)}` cannot be changed here without changing more; edit the file by hand"
    return Diagnostic(path, 1, 1, "cannot-edit", message)


def _changed(data: Any, where: Where, holds: Any) -> Any:
    result = dict(data) if isinstance(data, Mapping) else {}
    if len(where) > 1:
        result[where[0]] = _changed(result.get(where[0]), where[1:], holds)
    elif holds is None:
        result.pop(where[0], None)
    else:
        result[where[0]] = holds
    return result
