"""A `workflow_config` in Python source: its literal is read from the syntax tree, and nothing is run."""

from __future__ import annotations

import ast
import itertools
import warnings
from collections.abc import Iterator
from typing import Any

from generator.errors import Diagnostic, InputError
from generator.importing.model import Foreign
from generator.spec.reader import MAX_DEPTH, Path, Positions
from generator.spec.scalars import SourceFloat, SourceInt

VARIABLE = "workflow_config"
_BINDING = "ParameterBinding"
_MUTATORS = frozenset({"update", "setdefault", "pop", "clear", "popitem"})


def python_source(name: str, text: str) -> Foreign:
    """The `workflow_config = {…}` of a Python file, or its only dict that has `name` and `image`.

    Raises InputError for what is no literal, and for a dict that is changed afterwards.
    """
    try:
        tree = parse_python(text)
    except SyntaxError as error:
        message = f"the file is not Python: {error.msg}"
        raise InputError(
            [Diagnostic(name, error.lineno or 1, error.offset or 1, "python-syntax", message)]
        ) from None
    found = find_config(name, tree)
    if found is None:
        message = f"there is no `{VARIABLE} = {{…}}` here; name the file that holds it"
        raise InputError([Diagnostic(name, 1, 1, "no-config", message)])
    return Foreign(found.path, found.data, found.positions, bindings(tree))


def parse_python(text: str) -> ast.Module:
    """The syntax tree; raises SyntaxError, and nothing else, for whatever is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the author's escapes are not our user's business
            return ast.parse(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error) or "nested too deeply") from None


def find_config(name: str, tree: ast.Module) -> Foreign | None:
    """The last literal that is assigned to `workflow_config`, else the only dict that looks like one."""
    named = [(node, value) for node, target, value in _assignments(tree) if target == VARIABLE]
    if named:
        statement, value = named[-1]
        refuse_changes(name, tree, statement.end_lineno or statement.lineno)
        return _literal(name, value)
    likely = [value for _, _, value in _assignments(tree) if _looks_like_config(value)]
    likely += [
        node.value for node in tree.body if isinstance(node, ast.Expr) and _looks_like_config(node.value)
    ]
    if len(likely) > 1:
        message = f"several dicts here could be it; assign the right one to `{VARIABLE}`"
        raise InputError([Diagnostic(name, likely[1].lineno, 1, "several-configs", message)])
    return _literal(name, likely[0]) if likely else None


def bindings(tree: ast.Module) -> dict[str, Any]:
    """Parameters that the source binds with literal arguments: `ParameterBinding("train", "0.8")`."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and _BINDING in (
            getattr(called, "id", ""),
            getattr(called, "attr", ""),
        ):
            words = dict(zip(("key", "value"), node.args, strict=False))
            words |= {item.arg: item.value for item in node.keywords if item.arg}
            pair = [_constant(words.get(word)) for word in ("key", "value")]
            if isinstance(pair[0], str) and isinstance(pair[1], str):
                found[pair[0]] = pair[1]
    return found


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _assignments(tree: ast.Module) -> Iterator[tuple[ast.stmt, str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield node, target.id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node, node.target.id, node.value


def _looks_like_config(node: ast.expr) -> bool:
    if not isinstance(node, ast.Dict):
        return False
    return {"name", "image"} <= {_constant(key) for key in node.keys}


def refuse_changes(name: str, tree: ast.Module, line_before: int = 0) -> None:
    """Only the literal is read; what the program does to the dict behind that line would be lost."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if line > line_before and _changes_config(node):
            message = (
                f"`{VARIABLE}` is changed here, and nothing is run; write the final values into the literal"
            )
            raise InputError([Diagnostic(name, line, 1, "config-changed", message)])


def _changes_config(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
        targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
        return any(isinstance(item, ast.Subscript) and _root(item) == VARIABLE for item in targets)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _MUTATORS and _root(node.func.value) == VARIABLE
    return False


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _literal(name: str, node: ast.expr) -> Foreign:
    reader = _Literal(name)
    data = reader.value(node, ())
    if not isinstance(data, dict):
        message = f"`{VARIABLE}` must be a dict that is written out here"
        raise InputError([Diagnostic(name, node.lineno, node.col_offset + 1, "no-config", message)])
    return Foreign(name, data, reader.positions)


class _Literal:
    """Plain data out of a syntax tree, with positions; refuses whatever would have to be run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.positions = Positions()

    def value(self, node: ast.expr, path: Path) -> Any:
        self.positions.values[path] = (node.lineno, node.col_offset + 1)
        if len(path) > MAX_DEPTH:
            raise self._refused(node, "too-deep", f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, ast.Dict):
            return self._dict(node, path)
        if isinstance(node, ast.List | ast.Tuple):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.elts)]
        return self._scalar(node)

    def _dict(self, node: ast.Dict, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            word = _constant(key)
            if key is None or not isinstance(word, str):
                raise self._refused(key or value, "python-code", "a key must be text that is written out")
            if word in result:
                raise self._refused(key, "duplicate-key", f"`{word}` is given twice; keep one")
            self.positions.keys[(*path, word)] = (key.lineno, key.col_offset + 1)
            result[word] = self.value(value, (*path, word))
        return result

    def _scalar(self, node: ast.expr) -> Any:
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            message = f"{_words(node)} would have to be run; write the value itself"
            raise self._refused(node, "python-code", message) from None
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, int):
            return SourceInt(str(value)) if abs(value) < 10**18 else SourceFloat(f"{value:.17g}")
        if isinstance(value, float):
            return SourceFloat(repr(value))
        raise self._refused(node, "wrong-type", f"{_words(node)} is no text, number, list or dict")

    def _refused(self, node: ast.expr, code: str, message: str) -> InputError:
        return InputError([Diagnostic(self.name, node.lineno, node.col_offset + 1, code, message)])


def _words(node: ast.expr) -> str:
    """The source of an expression, short enough for a message."""
    try:
        text = "".join(itertools.islice(ast.unparse(node), 60))
    except RecursionError:
        text = "this expression"
    return f"`{text}`"
