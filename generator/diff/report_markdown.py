"""A difference as a comment of a pull request: bounded in size, folded, and safe to show whatever it holds.

All text that comes from files stands in `<code>`, where Git servers look for no mention and no issue number,
and every sign that Markdown or HTML could read is a numeric entity, which by CommonMark's rules is never
markup.
"""

from __future__ import annotations

import re

from generator.diff.model import Change, FileDiff, TemplateDiff
from generator.diff.report_text import summary
from generator.diff.values import printable, sides

__all__ = ["diff_markdown"]

#: What a comment of the usual Git servers can hold, with room to spare, bytes.
LIMIT = 60_000
MINIMUM = 1_000  # room for the summary and for what is said about what is left out

_VALUE = 120  # characters of one value
_PATH = 200
_PLAIN = re.compile(r"[^A-Za-z0-9 ./,=-]")
_OPEN_FILES = 3  # so many files are shown unfolded
_HEAD = "| change | address | before | after | effect |\n|---|---|---|---|---|\n"
_FOOT = "\n</details>\n\n"


def diff_markdown(diff: TemplateDiff, limit: int = LIMIT) -> str:
    """The difference in at most `limit` (at least MINIMUM) bytes of UTF-8; what does not fit is counted."""
    room = max(limit, MINIMUM) - 200
    text = f"### {summary(diff)}\n\n"
    left = list(diff.files)
    unfolded = len(left) <= _OPEN_FILES
    while left:
        block = _file(left[0], room - _size(text), unfolded=unfolded)
        if block is None:
            break
        text += block
        del left[0]
    return text + _left_out(left)


def code(text: str, limit: int = _PATH) -> str:
    """Text of unknown origin as HTML that is text and nothing else."""
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    entities = _PLAIN.sub(lambda sign: f"&#{ord(sign[0])};", printable(short))
    return f"<code>{entities}</code>"


def _left_out(files: list[FileDiff]) -> str:
    if not files:
        return ""
    number = "1 more file" if len(files) == 1 else f"{len(files)} more files"
    return f"**{number} left out: too long for a comment. `corespec diff` shows all.**\n"


def _file(file: FileDiff, room: int, *, unfolded: bool) -> str | None:
    """One file in at most `room` bytes; None when not even its heading fits."""
    head = f"{code(file.path)} {file.kind}, {file.category}"
    if not file.changes:
        line = f"- {head}\n\n"
        return line if _size(line) <= room else None
    attribute = " open" if unfolded else ""
    text = f"<details{attribute}><summary>{head} ({len(file.changes)})</summary>\n\n{_HEAD}"
    room -= _size(text) + _size(_FOOT) + 100
    if room < 0:
        return None
    rows, missing = _rows(file, room)
    if not rows:
        return None
    return text + rows + (_missing(missing) if missing else "") + _FOOT


def _rows(file: FileDiff, room: int) -> tuple[str, int]:
    """As many rows as there is room for, and how many there is none for."""
    rows: list[str] = []
    for row in map(_row, file.changes):
        room -= _size(row)
        if room < 0:
            break
        rows.append(row)
    return "".join(rows), len(file.changes) - len(rows)


def _row(change: Change) -> str:
    before, after = (code(side, _VALUE) if side is not None else "" for side in sides(change, _VALUE))
    return f"| {change.kind} | {code(change.address)} | {before} | {after} | {change.category} |\n"


def _missing(count: int) -> str:
    return f"| | {count} more, left out | | | |\n"


def _size(text: str) -> int:
    return len(text.encode("utf-8"))
