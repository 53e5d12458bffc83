"""Pascal VOC annotations: XML text to boxes, with the line of every fault.

VOC writes 1-based, inclusive pixel coordinates. Ours are 0-based and half-open, so 1 is taken off the
minima and the maxima stay: ``xmin=1, xmax=10`` becomes ``0 <= x < 10``, ten columns. The CV package took
1 off the minima, too.
"""

from __future__ import annotations

import math
import xml.sax
from collections.abc import Collection
from dataclasses import dataclass, field
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

import defusedxml.sax
from defusedxml.common import DefusedXmlException

from trainer.data.records import Box

MAX_ANNOTATION_BYTES = 8 * 2**20
TOLERANCE_PX = 1.0
"""A box may reach out of the picture by this much (tools that count from 0 do) and is clipped."""

_COORDINATES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong on one line of an annotation; ``code`` is one of ``findings.CODES``."""

    line: int
    code: str
    message: str


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


def read_boxes(
    annotation: Annotation, width: int, height: int, classes: Collection[str] = ()
) -> tuple[tuple[Box, ...], list[Fault]]:
    """The boxes of an annotation in a picture of ``width`` x ``height`` pixels, and every fault among them.

    An empty ``classes`` allows every name. A box with a fault is not in the result, a clipped box is.
    """
    faults: list[Fault] = []
    if not annotation.objects:
        faults.append(Fault(0, "no-boxes", "holds no object: draw the boxes or take the picture out"))
    boxes = [_read_box(item, width, height, classes, faults) for item in annotation.objects]
    return tuple(box for box in boxes if box is not None), faults


def _read_box(
    item: VocObject, width: int, height: int, classes: Collection[str], faults: list[Fault]
) -> Box | None:
    label = item.texts.get("name", "")
    if not label:
        faults.append(Fault(item.line, "class-missing", "an object has no name"))
        return None
    if classes and label not in classes:
        faults.append(Fault(item.line, "class-unknown", f"class {label!r} is not in class_names"))
        return None
    corners = _corners(item)
    fault = corners if isinstance(corners, Fault) else _shape_fault(item.line, label, corners, width, height)
    if isinstance(corners, Fault) or fault is not None:
        faults += [fault] if fault else []
        return None
    xmin, ymin, xmax, ymax = corners[0] - 1, corners[1] - 1, corners[2], corners[3]
    inside = max(xmin, 0.0), max(ymin, 0.0), min(xmax, float(width)), min(ymax, float(height))
    if inside != (xmin, ymin, xmax, ymax):
        faults.append(Fault(item.line, "box-clipped", f"box of {label!r} clipped to the picture"))
    return Box(*inside, label, item.texts.get("difficult", "0").lower() in ("1", "true"))


def _corners(item: VocObject) -> tuple[float, float, float, float] | Fault:
    values: list[float] = []
    for name in _COORDINATES:
        text = item.texts.get(f"bndbox/{name}")
        if text is None:
            return Fault(item.line, "box-value", f"bndbox has no {name}")
        try:
            value = float(text)
        except ValueError:
            return Fault(item.line, "box-value", f"{name} is no number: {text[:40]!r}")
        if not math.isfinite(value):
            return Fault(item.line, "box-value", f"{name} is not finite: {text[:40]!r}")
        values.append(value)
    return values[0], values[1], values[2], values[3]


def _shape_fault(
    line: int, label: str, corners: tuple[float, float, float, float], width: int, height: int
) -> Fault | None:
    """The rule a box breaks, if any; ``corners`` are as VOC writes them."""
    xmin, ymin, xmax, ymax = corners
    text = f"box of {label!r} from ({xmin:g}, {ymin:g}) to ({xmax:g}, {ymax:g})"
    if xmax < xmin or ymax < ymin:
        return Fault(line, "box-swapped", f"{text}: the maximum lies before the minimum")
    if xmax == xmin or ymax == ymin:
        return Fault(line, "box-degenerate", f"{text} has no area")
    reaches_out = (
        min(xmin, ymin) - 1 < -TOLERANCE_PX or xmax > width + TOLERANCE_PX or ymax > height + TOLERANCE_PX
    )
    covers_nothing = min(xmax, ymax) < 1 or xmin > width or ymin > height
    if reaches_out or covers_nothing:
        return Fault(line, "box-outside", f"{text} reaches out of the picture of {width}x{height}")
    return None
