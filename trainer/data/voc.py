"""Pascal VOC annotations: XML text to boxes, with the line of every fault.

VOC writes 1-based, inclusive pixel coordinates. Ours are 0-based and half-open, so 1 is taken off the
minima and the maxima stay: ``xmin=1, xmax=10`` becomes ``0 <= x < 10``, ten columns. The CV package took
1 off the minima, too.
"""

from __future__ import annotations

import xml.sax
from collections.abc import Collection
from dataclasses import dataclass, field
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

import defusedxml.sax
from defusedxml.common import DefusedXmlException

from trainer.data.boxes import Corners, Drawn, Fault, Marks, numbers, place_boxes
from trainer.data.records import Box

MAX_ANNOTATION_BYTES = 8 * 2**20

_COORDINATES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(slots=True)
class VocObject:
    """One ``<object>`` as written: the texts of the fields that are there."""

    line: int
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Annotation:
    """One annotation as written, before any rule but well-formedness has been applied."""

    texts: dict[str, str] = field(default_factory=dict)
    objects: list[VocObject] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) in pixels; None where the file does not say (some tools write 0 or nothing)."""
        try:
            width, height = (int(float(self.texts[f"size/{side}"])) for side in ("width", "height"))
        except (KeyError, ValueError, OverflowError):
            return None
        return (width, height) if width > 0 and height > 0 else None


class _Handler(ContentHandler):
    """Collects texts by path; ``object/part/bndbox`` has its own path and cannot be taken for a box."""

    def __init__(self) -> None:
        super().__init__()
        self.annotation = Annotation()
        self._path: list[str] = []
        self._text: list[str] = []
        self._locator: Locator | None = None

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802  (the name is the standard library's)
        self._locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802, ARG002
        self._path.append(name)
        self._text.clear()
        if self._path[1:] == ["object"]:
            line = self._locator.getLineNumber() if self._locator else None
            self.annotation.objects.append(VocObject(line or 0))

    def characters(self, content: str) -> None:
        self._text.append(content)

    def endElement(self, name: str) -> None:  # noqa: N802, ARG002
        text, path = "".join(self._text).strip(), self._path[1:]
        if path[:1] == ["object"] and len(path) > 1:
            self.annotation.objects[-1].texts.setdefault("/".join(path[1:]), text)
        elif path:
            self.annotation.texts.setdefault("/".join(path), text)
        self._path.pop()
        self._text.clear()


def read_annotation(content: bytes) -> Annotation | Fault:
    """Parse one VOC file; entities and external references are refused, never expanded."""
    if len(content) > MAX_ANNOTATION_BYTES:
        return Fault(0, "annotation-too-large", f"{len(content):,} bytes, at most {MAX_ANNOTATION_BYTES:,}")
    handler = _Handler()
    try:
        defusedxml.sax.parseString(content, handler)
    except xml.sax.SAXParseException as error:
        return Fault(
            error.getLineNumber() or 0, "annotation-malformed", f"no well-formed XML: {error.getMessage()}"
        )
    except DefusedXmlException as error:
        return Fault(0, "annotation-unsafe", f"{type(error).__name__}: remove the declaration from the file")
    except (ValueError, LookupError) as error:  # an encoding declaration that Python does not know
        return Fault(0, "annotation-malformed", f"cannot be decoded: {error}")
    return handler.annotation


def read_marks(content: bytes) -> Marks | Fault:
    """One VOC file as the marks of its picture."""
    annotation = read_annotation(content)
    return annotation if isinstance(annotation, Fault) else marks(annotation)


def marks(annotation: Annotation) -> Marks:
    """The objects of an annotation, each with its box or what is wrong with it."""
    return Marks(annotation.size, tuple(_drawn(item) for item in annotation.objects))


def read_boxes(
    annotation: Annotation, width: int, height: int, classes: Collection[str] = ()
) -> tuple[tuple[Box, ...], list[Fault]]:
    """The boxes of an annotation in a picture of ``width`` x ``height`` pixels, and every fault among them.

    An empty ``classes`` allows every name. A box with a fault is not in the result, a clipped box is.
    """
    return place_boxes(marks(annotation).objects, width, height, classes)


def _drawn(item: VocObject) -> Drawn:
    label = item.texts.get("name", "")
    difficult = item.texts.get("difficult", "0").lower() in ("1", "true")
    for name in _COORDINATES:
        if f"bndbox/{name}" not in item.texts:
            return Drawn(item.line, label, Fault(item.line, "box-value", f"bndbox has no {name}"), "")
    values = numbers(item.line, [(name, item.texts[f"bndbox/{name}"]) for name in _COORDINATES])
    if isinstance(values, Fault):
        return Drawn(item.line, label, values, "", difficult)
    xmin, ymin, xmax, ymax = values
    shown = f"box of {label!r} from ({xmin:g}, {ymin:g}) to ({xmax:g}, {ymax:g})"
    corners: Corners | Fault = (xmin - 1, ymin - 1, xmax, ymax)
    if xmax < xmin or ymax < ymin:
        corners = Fault(item.line, "box-swapped", f"{shown}: the maximum lies before the minimum")
    elif xmax == xmin or ymax == ymin:
        corners = Fault(item.line, "box-degenerate", f"{shown} has no area")
    return Drawn(item.line, label, corners, shown, difficult)
