"""A difference as the body of a commit message: per executable, bounded, nothing that servers act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import PurePosixPath

from generator.diff.model import Change, FileDiff, TemplateDiff
from generator.diff.report_text import summary
from generator.diff.values import change_text, printable

_LINES = 40
_WIDTH = 100
_VALUE = 60
# Mentions, and numbers of issues that a server would link or close.
_ACTS = re.compile(r"(?<![\w.:/-])@(?=\w)|#(?=\d)|\b(GH)-(?=\d)")


def message_body(diff: TemplateDiff) -> str:
    """What changed, as lines of a commit message; empty where nothing changed in meaning."""
    if not diff:
        return ""
    lines = [_cut(line) for line in _lines(diff)]
    if len(lines) > _LINES:
        lines = [*lines[:_LINES], f"… and {len(lines) - _LINES} more lines; see `corespec diff`"]
    return "\n".join([summary(diff), *lines])


def _lines(diff: TemplateDiff) -> Iterator[str]:
    for name, files in groupby(sorted(diff.files, key=_key), key=lambda file: _key(file)[:2]):
        yield ""
        yield _defused(" ".join(part for part in reversed(name) if part)) + ":"
        for file in files:
            yield from _file(file)


def _key(file: FileDiff) -> tuple[str, str, str]:
    """Environment, executable and path, from `rendered/<environment>/{templates,images}/<executable>`."""
    parts = PurePosixPath(file.path).parts
    if len(parts) < 4 or parts[0] != "rendered":
        return "", file.path, file.path
    return f"({parts[1]})", PurePosixPath(parts[3]).stem if len(parts) == 4 else parts[3], file.path


def _file(file: FileDiff) -> Iterator[str]:
    if not file.changes:
        yield f"- {_defused(PurePosixPath(file.path).name)} {file.kind}"
    for change in file.changes:
        yield f"- {_change(change)}"


def _change(change: Change) -> str:
    return _defused(change_text(change, _VALUE))


def _defused(text: str) -> str:
    return _ACTS.sub(lambda sign: f"{sign[0]} ", printable(text))


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
