"""YOLO's labels: a text file for each picture, a line ``class x y width height`` for each object.

Centre and size are shares of the picture's width and height; the class is a number, whose name stands in a
file beside the folders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.data.boxes import Corners, Drawn, Fault, Marks, numbers
from trainer.data.findings import Finding

#: Text files: a name a line, the first is class 0.
NAME_LISTS = ("classes.txt", "obj.names", "labels/classes.txt")
#: YAML files with ``names``: a list, or a map from numbers to names.
NAME_TABLES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")

_FIELDS = ("x", "y", "width", "height")
_LARGEST = 2.0
"""No share of a picture; 640 says that somebody wrote pixels."""


@dataclass(frozen=True, slots=True)
class LabelReader:
    """Reads label files; ``names`` are those of the classes, none where nobody has named them."""

    names: tuple[str, ...] = ()

    def __call__(self, content: bytes) -> Marks | Fault:
        """One label file as the marks of its picture."""
        try:
            lines = content.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            return Fault(0, "annotation-malformed", f"is no UTF-8 text (byte {error.start + 1})")
        rows = [(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]
        return Marks(None, tuple(self._drawn(number, row) for number, row in rows))

    def _drawn(self, line: int, row: Sequence[str]) -> Drawn:
        label = self._label(line, row[0])
        name = row[0] if isinstance(label, Fault) else label
        shown = f"box of {name!r} at {' '.join(row[1:])}"[:120]
        return Drawn(line, label, _corners(line, row), shown, relative=True)

    def _label(self, line: int, text: str) -> str | Fault:
        if not (text.isascii() and text.isdigit()):
            return Fault(line, "box-value", f"the class is no number: {text[:40]!r}")
        number = int(text)
        if not self.names:
            return str(number)
        if number >= len(self.names):
            message = f"class {number} has no name: the last of {len(self.names)} is {len(self.names) - 1}"
            return Fault(line, "class-unknown", message)
        return self.names[number]


def _corners(line: int, row: Sequence[str]) -> Corners | Fault:
    if len(row) != 1 + len(_FIELDS):
        hint = ": a polygon or a turned box? Export boxes" if len(row) > 1 + len(_FIELDS) else ""
        return Fault(line, "box-value", f"{len(row)} values where class x y width height belong{hint}")
    values = numbers(line, list(zip(_FIELDS, row[1:], strict=True)))
    if isinstance(values, Fault):
        return values
    x, y, width, height = values
    if max(values) > _LARGEST:
        message = f"{max(values):g} is no share of the picture: are these pixels? Divide by its size"
        return Fault(line, "box-outside", message)
    if width < 0 or height < 0:
        return Fault(line, "box-swapped", f"width {width:g} and height {height:g} must not be negative")
    if width == 0 or height == 0:
        return Fault(line, "box-degenerate", f"width {width:g} and height {height:g} leave no area")
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def class_names(root: Path) -> tuple[tuple[str, ...], list[Finding]]:
    """The names of the classes in a dataset, and what is wrong with the file that has them."""
    for name in NAME_LISTS:
        if (path := root / name).is_file():
            return _listed(path, name)
    for name in NAME_TABLES:
        if (path := root / name).is_file():
            return _tabled(path, name)
    wanted = ", ".join((*NAME_LISTS[:2], NAME_TABLES[0]))
    message = f"none of {wanted}: the numbers are the names of the classes"
    return (), [Finding(".", 0, "names-missing", message)]


def _listed(path: Path, name: str) -> tuple[tuple[str, ...], list[Finding]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return (), [Finding(name, 0, "names-unreadable", f"cannot be read as UTF-8 text: {error}")]
    names = [line.strip() for line in lines]
    while names and not names[-1]:
        names.pop()
    return _checked(name, names)


def _tabled(path: Path, name: str) -> tuple[tuple[str, ...], list[Finding]]:
    import yaml  # the other forms need none

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        return (), [Finding(name, 0, "names-unreadable", f"no YAML: {' '.join(str(error).split())[:200]}")]
    names = document.get("names") if isinstance(document, Mapping) else None
    if isinstance(names, Mapping) and sorted(names, key=str) == sorted(range(len(names)), key=str):
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list):
        message = "`names` must be a list, or a map from 0, 1, 2 … to names"
        return (), [Finding(name, 0, "names-unreadable", message)]
    return _checked(name, [str(entry).strip() for entry in names])


def _checked(file: str, names: Sequence[str]) -> tuple[tuple[str, ...], list[Finding]]:
    wrong = [str(place) for place, name in enumerate(names) if not name or name in names[:place]]
    if wrong or not names:
        look = f"every class needs a name of its own; look at class {', '.join(wrong)}"
        message = look if wrong else "is empty"
        return (), [Finding(file, 0, "names-unreadable", message)]
    return tuple(names), []
