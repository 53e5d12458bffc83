"""Pictures of strangers: decoded within bounds, upright, to their end."""

from __future__ import annotations

import warnings
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from trainer.data.pictures import DAMAGE, DECODERS, MAX_PIXELS
from trainer.inference.letterbox import as_rgb


class PictureError(Exception):
    """A picture that cannot be used; ``code`` is one of ``trainer.data.findings.CODES``."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


def decode(content: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The first frame of a picture in RGB, turned as its EXIF orientation says.

    The number of pixels is tested on the header, before memory is spent on them. Raises ``PictureError``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            with Image.open(BytesIO(content), formats=DECODERS) as picture:
                width, height = picture.size
                if width * height > max_pixels:
                    raise PictureError(
                        "picture-too-large", f"{width}x{height} pixels, at most {max_pixels:,} in all"
                    )
                return ImageOps.exif_transpose(as_rgb(picture))
    except Image.DecompressionBombError:
        raise PictureError("picture-too-large", f"more than {max_pixels:,} pixels") from None
    except DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = f"no {', '.join(DECODERS)} picture"
        raise PictureError("picture-unreadable", f"does not decode: {reason}") from None
