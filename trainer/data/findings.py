"""The vocabulary of the dataset check: every finding has a stable code and one of three levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["structure", "picture", "note"]
"""structure: nothing can be trained; picture: this picture cannot be used; note: used anyway."""

CODES: Mapping[str, tuple[Level, str]] = {
    "dataset-missing": ("structure", "the dataset is no folder that can be read"),
    "images-folder-missing": ("structure", "no folder of pictures"),
    "annotations-folder-missing": ("structure", "no folder of annotations"),
    "class-folders-missing": ("structure", "no folder that is a class"),
    "classes-too-few": ("structure", "one class only in train, where folders are classes"),
    "split-missing": ("structure", "a list file or folder of a split is not there"),
    "split-unreadable": ("structure", "a list file is no UTF-8 text"),
    "split-archive": ("structure", "a split names a zip archive"),
    "coco-unreadable": ("structure", "a JSON file that should hold COCO annotations does not"),
    "names-unreadable": ("structure", "YOLO: the file with the names of the classes cannot be used"),
    "split-empty": ("structure", "a split that is in use has no usable picture"),
    "split-same-source": ("structure", "training pictures and measuring pictures come from the same source"),
    "path-escape": ("picture", "a path or link leads out of the dataset"),
    "picture-missing": ("picture", "an annotation or list entry without a picture"),
    "picture-unreadable": ("picture", "the picture does not decode to its end"),
    "picture-too-large": ("picture", "more pixels or bytes than a picture may have"),
    "picture-orientation": ("picture", "the picture carries an EXIF rotation"),
    "picture-size": ("picture", "picture and annotation disagree on the size"),
    "annotation-missing": ("picture", "a picture without an annotation"),
    "annotation-malformed": ("picture", "the annotation is no well-formed VOC XML, or no text"),
    "annotation-unsafe": ("picture", "the annotation declares entities or external references"),
    "annotation-too-large": ("picture", "the annotation has more bytes than one may have"),
    "annotation-orphan": ("picture", "COCO: an annotation of an image that is not there"),
    "coco-image": ("picture", "COCO: an image without a usable id or file name"),
    "id-duplicate": ("picture", "COCO: two images or two annotations have one id"),
    "no-boxes": ("picture", "the annotation holds no object"),
    "box-value": ("picture", "a coordinate is missing or no finite number"),
    "box-degenerate": ("picture", "a box without area"),
    "box-swapped": ("picture", "a box whose maximum lies before its minimum"),
    "box-outside": ("picture", "a box reaches out of the picture"),
    "class-missing": ("picture", "an object without a name"),
    "class-unknown": ("picture", "an object whose name is not in class_names"),
    "duplicate-stem": ("picture", "two pictures or annotations share one name"),
    "split-leak": ("picture", "the same picture stands in two splits"),
    "group-leak": ("picture", "pictures of one group stand in two splits"),
    "box-clipped": ("note", "a box reached out by at most one pixel and was clipped"),
    "crowd-ignored": ("note", "COCO: a crowd is no box of one object and was left out"),
    "names-missing": ("note", "YOLO: nobody has named the classes; their numbers are their names"),
    "form-ambiguous": ("note", "annotations of more than one form are there"),
    "folder-ambiguous": ("note", "more than one folder could hold the files"),
    "id-repeated": ("note", "a list names a picture twice"),
    "file-ignored": ("note", "a file in the picture folder is of no picture type"),
    "picture-tiny": ("note", "the picture has hardly any pixels"),
    "picture-converted": ("note", "the picture is not of 8 bits a channel in red, green and blue"),
    "picture-animated": ("note", "the picture has several frames"),
    "picture-suffix": ("note", "the suffix and the content of a picture disagree"),
    "identical-pictures": ("note", "byte-identical pictures stand in two splits"),
    "stem-shared": ("note", "different files of one name stand in two splits"),
    "split-shared": ("note", "validation and test are the same pictures"),
    "class-untrained": ("note", "a class does not occur in train"),
    "unlisted": ("note", "pictures that no split names"),
}


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """One fault or remark; ``file`` is relative to the dataset, ``line`` is 1-based or 0 for none."""

    file: str
    line: int
    code: str
    message: str

    @property
    def level(self) -> Level:
        return CODES[self.code][0]

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.code}: {self.message}"
