"""Decode a picture once, to its end and within bounds, so that no training step meets a bad file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from PIL import ExifTags, Image, UnidentifiedImageError

MAX_PIXELS = 64_000_000
MAX_PICTURE_BYTES = 128 * 2**20
FORMATS: dict[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".mpo"),  # what many telephones write under the name of JPEG
    "PNG": (".png",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""Pillow's name -> usual suffixes. Decoders outside this table never see a byte of the user's data."""

DECODERS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")  # Pillow's JPEG decoder recognises MPO by itself

# What Pillow's decoders raise on damaged input, by its own documentation and fuzzing corpus.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError, struct.error, zlib.error)


PLAIN_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "La"})
"""Pillow's modes of 8 bits a channel or less; what is read from others is not what their maker saw."""

TINY_PX = 8
"""Sides below this hold nothing that could be recognised."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Size in pixels and Pillow's format name of a picture that decodes; remarks (code, message) on it."""

    width: int
    height: int
    format: str
    remarks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PictureFault:
    """Why a picture cannot be used; ``code`` is one of ``findings.CODES``."""

    code: str
    message: str


def read_picture(content: bytes) -> PictureFacts | PictureFault:
    """Decode the whole picture. The pixel limit is tested on the header, before memory is spent."""
    try:
        with Image.open(BytesIO(content), formats=DECODERS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                return _too_large(f"{width}x{height} pixels, at most {MAX_PIXELS:,} in all")
            orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
            remarks = tuple(_remarks(picture))
            picture.load()
            format_name = picture.format or ""
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _too_large(f"more than {MAX_PIXELS:,} pixels")
    except DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = f"no {', '.join(DECODERS)} picture"
        return PictureFault("picture-unreadable", f"does not decode: {reason}")
    if orientation not in (0, 1):
        message = f"EXIF orientation {orientation}: turn the pixels, drop the tag and check the boxes"
        return PictureFault("picture-orientation", message)
    return PictureFacts(width, height, format_name, remarks)


def _remarks(picture: Image.Image) -> Iterator[tuple[str, str]]:
    """What somebody should know of a picture that is used all the same."""
    if min(picture.size) < TINY_PX:
        yield "picture-tiny", f"{picture.width}x{picture.height} pixels: hardly anything can be seen in it"
    if picture.mode not in PLAIN_MODES:
        yield (
            "picture-converted",
            f"its pixels are {picture.mode}: read as 8 bits of red, green and blue",
        )
    if (frames := getattr(picture, "n_frames", 1)) > 1 and picture.format != "MPO":
        yield "picture-animated", f"has {frames} frames: the first one is used"


def _too_large(message: str) -> PictureFault:
    return PictureFault("picture-too-large", message)
