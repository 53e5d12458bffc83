"""One picture, decoded once: which formats are read, what is refused, and that nothing falls over."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trainer.data import pictures
from trainer.data.pictures import PictureFacts, PictureFault, read_picture


def encoded(form: str, size: tuple[int, int] = (31, 17), mode: str = "RGB", **options: object) -> bytes:
    stream = BytesIO()
    Image.effect_mandelbrot(size, (-2, -1, 1, 1), 40).convert(mode).save(stream, format=form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF", "WEBP"])
def test_five_formats_are_read(form: str) -> None:
    """Size and format come from the content, never from the name."""
    assert read_picture(encoded(form)) == PictureFacts(31, 17, form)


@pytest.mark.parametrize(
    ("form", "mode"), [("PNG", "P"), ("PNG", "L"), ("PNG", "RGBA"), ("PNG", "1"), ("JPEG", "CMYK")]
)
def test_every_pixel_mode_is_a_picture(form: str, mode: str) -> None:
    """Conversion to RGB is the reader's business; the check only asks whether it decodes."""
    assert isinstance(read_picture(encoded(form, mode=mode)), PictureFacts)


@pytest.mark.parametrize("form", ["GIF", "PPM", "ICO"])
def test_other_decoders_never_see_the_data(form: str) -> None:
    """Fewer decoders, fewer ways in: what is not in the table is no picture."""
    fault = read_picture(encoded(form))
    assert isinstance(fault, PictureFault)
    assert fault.message == "does not decode: no JPEG, PNG, BMP, TIFF, WEBP picture"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_half_a_file_is_no_picture(form: str) -> None:
    """The header alone would say it is fine."""
    content = encoded(form, (200, 200))
    fault = read_picture(content[: len(content) // 2])
    assert isinstance(fault, PictureFault)
    assert fault.code == "picture-unreadable"


def test_the_pixel_limit_counts_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is a picture, one row above it is refused before decoding."""
    monkeypatch.setattr(pictures, "MAX_PIXELS", 31 * 17)
    assert isinstance(read_picture(encoded("PNG")), PictureFacts)
    fault = read_picture(encoded("PNG", (31, 18)))
    assert isinstance(fault, PictureFault)
    assert (fault.code, fault.message) == ("picture-too-large", "31x18 pixels, at most 527 in all")


@pytest.mark.parametrize("orientation", range(2, 9))
def test_every_exif_rotation_is_refused(orientation: int) -> None:
    """Mirrored and turned: seven tags, one remedy."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    fault = read_picture(encoded("JPEG", exif=exif))
    assert isinstance(fault, PictureFault)
    assert fault.code == "picture-orientation"
    assert "turn the pixels" in fault.message


def test_an_upright_tag_is_fine() -> None:
    """Most cameras write orientation 1."""
    exif = Image.Exif()
    exif[0x0112] = 1
    assert isinstance(read_picture(encoded("JPEG", exif=exif)), PictureFacts)


SAMPLES = {form: encoded(form, (40, 30)) for form in ("JPEG", "PNG", "TIFF", "BMP", "WEBP")}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=150)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_no_damage_makes_the_reader_fall(form: str, data: st.DataObject) -> None:
    """Bytes overwritten anywhere give facts or a fault, never an exception."""
    content = bytearray(SAMPLES[form])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(read_picture(bytes(content)), PictureFacts | PictureFault)
