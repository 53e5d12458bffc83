"""Pascal VOC annotations become boxes: coordinates, tolerance, structure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.records import Box
from trainer.data.voc import Annotation, Fault, read_annotation, read_boxes


def annotation(*objects: str) -> Annotation:
    parsed = read_annotation(f"<annotation>{''.join(objects)}</annotation>".encode())
    assert isinstance(parsed, Annotation)
    return parsed


def item(xmin: object, ymin: object, xmax: object, ymax: object, extra: str = "") -> str:
    box = f"<xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
    return f"<object><name>a</name>{extra}<bndbox>{box}</bndbox></object>"


def test_one_based_inclusive_becomes_zero_based_half_open() -> None:
    """xmin 1, xmax 10 are the first ten columns; the whole picture is 1..width."""
    boxes, faults = read_boxes(annotation(item(1, 1, 10, 20), item(1, 1, 64, 48)), 64, 48)
    assert boxes == (Box(0, 0, 10, 20, "a"), Box(0, 0, 64, 48, "a"))
    assert not faults


@given(
    st.integers(1, 60).flatmap(lambda low: st.tuples(st.just(low), st.integers(low + 1, 64))),
    st.integers(1, 40).flatmap(lambda low: st.tuples(st.just(low), st.integers(low + 1, 48))),
)
def test_a_box_covers_as_many_pixels_as_voc_says(xs: tuple[int, int], ys: tuple[int, int]) -> None:
    """Width and height are last - first + 1 for every box inside the picture, and nothing is noted."""
    boxes, faults = read_boxes(annotation(item(xs[0], ys[0], xs[1], ys[1])), 64, 48)
    assert not faults
    assert (boxes[0].width, boxes[0].height) == (xs[1] - xs[0] + 1, ys[1] - ys[0] + 1)


@given(st.tuples(*[st.floats(-200, 200, allow_nan=False)] * 4))
def test_every_box_is_inside_the_picture_or_a_fault(corners: tuple[float, float, float, float]) -> None:
    """Whatever numbers stand in the file, a box that comes out covers a pixel or more of the picture."""
    boxes, faults = read_boxes(annotation(item(*map(repr, corners))), 64, 48)
    assert boxes or faults
    assert all(0 <= box.xmin <= box.xmax - 1 <= 63 and 0 <= box.ymin <= box.ymax - 1 <= 47 for box in boxes)


def test_one_pixel_over_the_edge_is_clipped_with_a_note() -> None:
    """Tools that count from 0 write xmin=0; that is one pixel, clipped; two are a fault."""
    boxes, faults = read_boxes(annotation(item(0, 1, 65, 48)), 64, 48)
    assert boxes == (Box(0, 0, 64, 48, "a"),)
    assert [fault.code for fault in faults] == ["box-clipped"]
    boxes, faults = read_boxes(annotation(item(-1, 1, 64, 48)), 64, 48)
    assert not boxes
    assert [fault.code for fault in faults] == ["box-outside"]


@pytest.mark.parametrize(("text", "difficult"), [("1", True), ("0", False), ("true", True), ("", False)])
def test_difficult_is_read(text: str, difficult: bool) -> None:
    """Both spellings that tools write."""
    boxes, _ = read_boxes(annotation(item(1, 1, 9, 9, f"<difficult>{text}</difficult>")), 64, 48)
    assert boxes[0].difficult is difficult


def test_parts_of_an_object_are_no_boxes() -> None:
    """VOC's person layout nests bndbox in <part>; the object's own box counts."""
    head = "<xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>3</ymax>"
    part = f"<part><name>head</name><bndbox>{head}</bndbox></part>"
    boxes, _ = read_boxes(annotation(item(1, 1, 9, 9, part)), 64, 48)
    assert boxes == (Box(0, 0, 9, 9, "a"),)


@pytest.mark.parametrize(
    "size", ["", "<size><width>0</width><height>0</height></size>", "<size><width>x</width></size>"]
)
def test_a_size_that_says_nothing_is_no_size(size: str) -> None:
    """Some tools write 0x0: the picture's own size holds then."""
    assert annotation(size).size is None


def test_a_bomb_is_refused_before_it_grows() -> None:
    """Nested entities never expand."""
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><annotation>&c;</annotation>'
    fault = read_annotation(bomb.encode())
    assert isinstance(fault, Fault)
    assert fault.code == "annotation-unsafe"


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fall(content: bytes) -> None:
    """Anything is either an annotation or a fault with one of the three codes."""
    result = read_annotation(content)
    assert isinstance(result, Annotation) or result.code in ("annotation-malformed", "annotation-unsafe")
