"""Pictures of strangers: every kind decodes to what a person sees, or is refused with its reason."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trainer.inference.pictures import PictureError, decode


def encoded(picture: Image.Image, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


GREY16 = Image.fromarray(np.array([[0, 0x8000], [0xFFFF, 0x4000]], dtype=np.uint16))


@pytest.mark.parametrize(
    ("picture", "kind", "expected"),
    [
        (Image.new("RGB", (4, 4), "red"), "PNG", (255, 0, 0)),
        (Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG", (254, 0, 0)),
        (Image.new("P", (4, 4), 0), "PNG", (0, 0, 0)),
        (Image.new("1", (4, 4), 1), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (9, 8, 7, 0)), "PNG", (9, 8, 7)),
        (Image.new("L", (1, 1), 7), "BMP", (7, 7, 7)),
        (Image.new("RGB", (4, 4), "lime"), "WEBP", (0, 255, 1)),
        (Image.new("RGB", (4, 4), "blue"), "TIFF", (0, 0, 255)),
    ],
)
def test_every_kind_becomes_rgb(picture: Image.Image, kind: str, expected: tuple[int, int, int]) -> None:
    found = decode(encoded(picture, kind))
    assert found.mode == "RGB"
    assert found.getpixel((0, 0)) == pytest.approx(expected, abs=3)


def test_sixteen_bits_of_grey_are_scaled() -> None:
    """Pillow's own conversion would make nearly everything white."""
    found = np.asarray(decode(encoded(GREY16, "PNG")))
    assert found[..., 0].tolist() == [[0, 128], [255, 64]]


def test_the_first_frame_of_a_moving_picture() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    moving = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert decode(moving).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("orientation", "size"), [(1, (6, 4)), (3, (6, 4)), (6, (4, 6)), (8, (4, 6)), (99, (6, 4))]
)
def test_pictures_stand_upright(orientation: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert decode(encoded(Image.new("RGB", (6, 4)), "JPEG", exif=exif)).size == size


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "picture-unreadable"),
        (b"GIF89a" + bytes(50), "picture-unreadable"),
        (b"<svg/>", "picture-unreadable"),
        (encoded(Image.effect_noise((64, 64), 90), "PNG")[:900], "picture-unreadable"),
        (encoded(Image.effect_noise((64, 64), 90), "JPEG")[:400], "picture-unreadable"),
        (encoded(Image.new("L", (101, 100)), "PNG"), "picture-too-large"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_code(content: bytes, code: str) -> None:
    with pytest.raises(PictureError) as caught:
        decode(content, max_pixels=10_000)
    assert caught.value.code == code
    assert caught.value.message


def test_decoders_outside_the_list_never_see_a_byte() -> None:
    """A GIF is a picture to Pillow, and none here."""
    with pytest.raises(PictureError, match="no JPEG, PNG"):
        decode(encoded(Image.new("P", (4, 4)), "GIF"))
