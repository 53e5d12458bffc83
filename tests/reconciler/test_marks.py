"""Marks of write-only values: what they tell, and to whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.connection import Credentials
from reconciler.errors import AuthenticationError
from reconciler.live import Written
from reconciler.marks import Marker, label_of

VALUES = st.dictionaries(st.text(max_size=8), st.text(max_size=20), min_size=1, max_size=3)


def marker(secret: str = "one") -> Marker:
    return Marker(Credentials("https://ai.example/v2", {"client_secret": secret}))


@settings(max_examples=6, deadline=None)
@given(VALUES, VALUES, st.sampled_from(["secret/a", "docker-secret/b"]))
def test_a_mark_tells_same_from_changed(one: dict[str, str], other: dict[str, str], address: str) -> None:
    """Of the object that it was made for; an equal value has another mark each time."""
    mark = marker().make(address, one)
    assert marker().read(mark, address, one) is Written.SAME
    assert marker().read(mark, address, other) is (Written.SAME if one == other else Written.CHANGED)
    assert marker().read(mark, f"{address}x", one) is Written.CHANGED
    assert mark != marker().make(address, one)


@given(st.one_of(st.none(), st.text(max_size=120), st.from_regex(r"1:[0-9a-f]{8}:[0-9a-f]*:[0-9a-f]*")))
def test_what_is_no_mark_of_ours_is_unknown(text: str | None) -> None:
    """Never the same by guess."""
    assert marker().read(text, "secret/a", {"key": "value"}) is Written.UNKNOWN


def test_without_the_credentials_it_tells_nothing() -> None:
    """Other credentials of AI Core: another key, and every value is written once more."""
    mark = marker("one").make("secret/a", {"key": "value"})
    assert marker("two").read(mark, "secret/a", {"key": "value"}) is Written.UNKNOWN
    assert "value" not in mark


def test_a_mark_fits_into_a_label() -> None:
    """AI Core allows 63 characters for the key and 5,000 for the value."""
    address = "object-store-secret/" + "x" * 233
    assert len(label_of(address)) <= 63
    assert len(marker().make(address, {"key": "v" * 100_000})) <= 120


def test_a_certificate_serves_as_well(tmp_path: Path) -> None:
    """By text or by file; a file that cannot be read is named."""
    key = tmp_path / "key.pem"
    key.write_text("private")
    by_file = Marker(Credentials("u", {"key_file_path": str(key)}))
    by_text = Marker(Credentials("u", {"key_str": "private"}))
    mark = by_file.make("secret/a", {"k": "v"})
    assert by_text.read(mark, "secret/a", {"k": "v"}) is Written.SAME
    with pytest.raises(AuthenticationError, match="gone"):
        Marker(Credentials("u", {"key_file_path": str(tmp_path / "gone")}))
