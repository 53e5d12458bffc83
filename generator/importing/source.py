"""Reading a file that was not written for corespec: YAML, JSON, Python or a notebook, and never running it.

YAML is read as strictly as specs are: no tags, no anchors, no aliases (a few lines of them can stand for
gigabytes), one document, bounded size and depth.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from generator.errors import Diagnostic, InputError
from generator.importing.literals import python_source
from generator.importing.model import Foreign
from generator.importing.notebook import notebook_source
from generator.spec.reader import MAX_BYTES, MAX_DEPTH, MAX_NODES, Positions, Source, read
from generator.spec.scalars import SourceFloat, SourceInt

# A notebook holds the pictures that it drew.
NOTEBOOK_BYTES = 64 * 1024 * 1024

_FOREIGN_WORDS = {
    "yaml-anchor": "anchors are not read, because aliases can stand for gigabytes; write the values out",
    "yaml-alias": "aliases are not read, because a few can stand for gigabytes; write the value out",
    "yaml-merge": "merge keys are not read; write the values out",
    "yaml-tag": "tags are not read; remove the word that begins with `!`",
    "several-documents": "this is a second document; move it to a file of its own and name both files",
    "empty-file": "the file holds nothing",
    "not-a-mapping": "the file is neither a template nor a workflow_config: it holds no keys and values",
}


def load(path: Path, name: str) -> Foreign:
    """Read one file; `name` stands in findings. Raises InputError."""
    limit = NOTEBOOK_BYTES if path.suffix == ".ipynb" else MAX_BYTES
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise _refused(name, "unreadable", f"cannot be read: {error.strerror}") from None
    if len(content) > limit:
        raise _refused(name, "too-large", f"the file has more than {limit} bytes; no workflow_config has")
    return parse_foreign(name, content, path.suffix)


def parse_foreign(name: str, content: bytes, suffix: str) -> Foreign:
    """The data of a file by its suffix; what is neither Python nor a notebook is read as YAML or JSON."""
    if suffix == ".py":
        return python_source(name, _text(name, content))
    if suffix == ".ipynb":
        return notebook_source(name, _text(name, content))
    source = _json(name, content) if suffix == ".json" else read(name, content)
    if source.data is None or source.diagnostics:
        raise InputError(_reworded(item) for item in source.diagnostics)
    comments = suffix != ".json" and re.search(rb"^\s*#", content, re.MULTILINE) is not None
    return Foreign(name, source.data, source.positions, comments=comments)


def _reworded(item: Diagnostic) -> Diagnostic:
    words = _FOREIGN_WORDS.get(item.code, item.message)
    if item.code in {"yaml-anchor", "yaml-alias"}:
        marked = item.message.partition("`")[2].partition("`")[0]
        words = f"`{marked}`: {words}"
    return replace(item, message=words.replace("; split it into several specs", ""))


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = "the file is not UTF-8 text; save it as UTF-8"
        raise InputError([Diagnostic(name, line, 1, "not-utf8", message)]) from None


def _json(name: str, content: bytes) -> Source:
    """JSON through the reader of YAML, which keeps positions; what only JSON spells is read without them."""
    text = _text(name, content)
    try:
        data = json.loads(text, parse_int=SourceInt, parse_float=SourceFloat, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise InputError(
            [Diagnostic(name, error.lineno, error.colno, "json-syntax", f"the file is not JSON: {error.msg}")]
        ) from None
    except RecursionError:
        raise _refused(name, "too-deep", f"nested deeper than {MAX_DEPTH} levels") from None
    except _RepeatedKeyError as error:
        raise _refused(name, "duplicate-key", f"`{error}` is given twice in one object; keep one") from None
    source = read(name, content)
    escapes_only = all(item.code == "yaml-syntax" for item in source.diagnostics)
    if source.data is None and escapes_only and isinstance(data, dict):
        _measure(name, data)
        return Source(name, data, Positions(), ())
    return source


class _RepeatedKeyError(ValueError):
    """An object names a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return result


def _measure(name: str, data: Any) -> None:
    """The limits of the YAML reader, for data that it could not read."""
    level, count, depth = [data], 0, 0
    while level:
        count += len(level)
        depth += 1
        if count > MAX_NODES or depth > MAX_DEPTH + 1:
            raise _refused(name, "too-large", "the file is larger or deeper than any template is")
        level = [inner for item in level for inner in _inside(item)]


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _refused(name: str, code: str, message: str) -> InputError:
    return InputError([Diagnostic(name, 1, 1, code, message)])
