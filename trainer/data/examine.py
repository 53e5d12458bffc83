"""Open every picture with its annotation, in parallel, and say everything that is wrong with it."""

from __future__ import annotations

import hashlib
import os
import stat
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from trainer.data.boxes import Fault, Marks, place_boxes
from trainer.data.findings import Finding
from trainer.data.layout import Item, escapes
from trainer.data.pictures import FORMATS, MAX_PICTURE_BYTES, PictureFacts, PictureFault, read_picture
from trainer.data.records import Box, Picture
from trainer.data.voc import MAX_ANNOTATION_BYTES


@dataclass(frozen=True, slots=True)
class Examined:
    """The verdict on one item: a usable picture or None, and why; ``sha256`` is the picture file's."""

    item: Item
    picture: Picture | None
    findings: tuple[Finding, ...]
    sha256: str = ""


def examine_all(root: Path, items: Iterable[Item], classes: Sequence[str]) -> list[Examined]:
    """Examine ``items`` on a few threads (Pillow decodes outside the interpreter lock); order is kept."""
    known = frozenset(classes)
    Image.init()  # registers Pillow's decoders here: threads would race for it
    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool, warnings.catch_warnings():
        # Pillow's remarks on odd metadata name no file and change nothing: the pixels decode or they do not.
        warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
        return list(pool.map(lambda item: _Examination(root, item).run(known), items))


class _Examination:
    def __init__(self, root: Path, item: Item) -> None:
        self.root = root
        self.item = item
        self.findings: list[Finding] = []

    def run(self, classes: frozenset[str]) -> Examined:
        self._check_pair()
        if self.item.label:
            return self._run_labelled(classes)
        picture_path = self._single(self.item.pictures)
        annotation_path = self._single(self.item.annotations)
        content = self._bytes(picture_path, MAX_PICTURE_BYTES, "picture-too-large", "picture-unreadable")
        facts = None if content is None or picture_path is None else self._facts(picture_path, content)
        marks = self._marks(annotation_path)
        sha256 = "" if content is None else hashlib.sha256(content).hexdigest()
        picture = None
        if facts and marks and picture_path and annotation_path:
            digest = hashlib.sha256(sha256.encode() + bytes.fromhex(marks.digest)).hexdigest()
            picture = self._assemble(picture_path, annotation_path, facts, marks, classes, digest)
        usable = all(finding.level == "note" for finding in self.findings)
        return Examined(self.item, picture if usable else None, tuple(self.findings), sha256)

    def _run_labelled(self, classes: frozenset[str]) -> Examined:
        """A picture whose folder is its class: one object, as large as the picture."""
        item = self.item
        path = self._single(item.pictures)
        content = self._bytes(path, MAX_PICTURE_BYTES, "picture-too-large", "picture-unreadable")
        facts = None if content is None or path is None else self._facts(path, content)
        if classes and item.label not in classes:
            self._add(item.pictures[0], 0, "class-unknown", f"{item.label!r} is not in class_names")
        sha256 = "" if content is None else hashlib.sha256(content).hexdigest()
        picture = None
        if facts and path and all(finding.level == "note" for finding in self.findings):
            whole = Box(0, 0, facts.width, facts.height, item.label)
            picture = Picture(path, item.stem, facts.width, facts.height, (whole,), sha256)
        return Examined(item, picture, tuple(self.findings), sha256)

    def _add(self, path: Path | str, line: int, code: str, message: str) -> None:
        file = path if isinstance(path, str) else path.relative_to(self.root).as_posix()
        self.findings.append(Finding(file, line, code, message))

    def _check_pair(self) -> None:
        item = self.item
        if not item.pictures:
            hint = f": {item.ignored[0].name} is there, add its suffix to image_types" if item.ignored else ""
            place = item.asked_by or item.annotations[0]
            self._add(place, item.line, "picture-missing", f"no picture named {item.stem!r}{hint}")
        elif not item.annotations and not item.label:
            self._add(item.pictures[0], 0, "annotation-missing", f"no annotation named {item.stem!r}")
        for paths in (item.pictures, item.annotations):
            if len(paths) > 1:
                others = ", ".join(path.name for path in paths[1:])
                self._add(paths[0], 0, "duplicate-stem", f"shares its name with {others}: rename one")

    def _single(self, paths: tuple[Path, ...]) -> Path | None:
        if len(paths) != 1:
            return None
        if escapes(paths[0], self.root):
            self._add(paths[0], 0, "path-escape", "is a link out of the dataset: put the file itself here")
            return None
        return paths[0]

    def _bytes(self, path: Path | None, limit: int, too_large: str, unreadable: str) -> bytes | None:
        if path is None:
            return None
        try:
            facts = path.stat()
            if not stat.S_ISREG(facts.st_mode):  # a pipe would be waited for without end
                self._add(path, 0, unreadable, "is no plain file")
                return None
            if facts.st_size > limit:
                self._add(path, 0, too_large, f"{facts.st_size:,} bytes, at most {limit:,}")
                return None
            return path.read_bytes()
        except OSError as error:
            self._add(path, 0, unreadable, f"cannot be read: {error.strerror or error}")
            return None

    def _facts(self, path: Path, content: bytes) -> PictureFacts | None:
        facts = read_picture(content)
        if isinstance(facts, PictureFault):
            self._add(path, 0, facts.code, facts.message)
            return None
        if path.suffix.lower() not in FORMATS.get(facts.format, ()):
            self._add(path, 0, "picture-suffix", f"holds a {facts.format} picture")
        for code, message in facts.remarks:
            self._add(path, 0, code, message)
        return facts

    def _marks(self, path: Path | None) -> Marks | None:
        if self.item.marks is not None or path is None:
            return self.item.marks
        content = self._bytes(path, MAX_ANNOTATION_BYTES, "annotation-too-large", "annotation-malformed")
        if content is None:
            return None
        marks = self.item.reader(content)
        if isinstance(marks, Fault):
            self._add(path, marks.line, marks.code, marks.message)
            return None
        return replace(marks, digest=hashlib.sha256(content).hexdigest())

    def _assemble(
        self,
        picture: Path,
        path: Path,
        facts: PictureFacts,
        marks: Marks,
        classes: frozenset[str],
        digest: str,
    ) -> Picture:
        size = marks.size
        if size is not None and size != (facts.width, facts.height):
            message = f"says {size[0]}x{size[1]}, the picture has {facts.width}x{facts.height}"
            self._add(path, 0, "picture-size", message)
        boxes, faults = place_boxes(marks.objects, facts.width, facts.height, classes)
        for fault in faults:
            self._add(path, fault.line, fault.code, fault.message)
        return Picture(picture, self.item.stem, facts.width, facts.height, boxes, digest)
