"""References: secrets are fetched when they are used, and no error, repr or message ever holds one."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from generator.errors import ReferenceUnavailableError
from generator.spec.references import EnvText, SecretReference


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    assert SecretReference.parse("env:TOKEN").resolve(environ={"TOKEN": "s3cret"}) == "s3cret"
    assert SecretReference.parse("file:key").resolve(tmp_path) == "s3cret"
    assert SecretReference.parse(f"file:{tmp_path / 'key'}").resolve() == "s3cret"


def test_a_missing_or_empty_secret_is_named_by_its_reference(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for reference, words in {
        "env:NOT_SET": "env:NOT_SET is not set: export NOT_SET",
        "file:gone": "file:gone cannot be read",
        "file:empty": "file:empty is empty",
        "file:binary": "not UTF-8",
    }.items():
        with pytest.raises(ReferenceUnavailableError, match=words):
            SecretReference.parse(reference).resolve(tmp_path, {})


@pytest.mark.parametrize("value", ["hunter2", "env:", "env:A-B", "file:", "ENV:X", "vault:x", 5, None])
def test_a_value_in_place_of_a_reference_is_refused_without_being_repeated(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(SecretReference).validate_python(value)
    (detail,) = caught.value.errors(include_input=False)
    assert detail["type"] == "secret_value"
    assert "hunter2" not in detail["msg"]


def test_variables_are_read_when_used_and_not_before() -> None:
    url = EnvText.parse("https://${HOST}/${PATH_}.git")
    assert url == "https://${HOST}/${PATH_}.git"
    assert url.resolve({"HOST": "example.com", "PATH_": "a"}) == "https://example.com/a.git"
    with pytest.raises(ReferenceUnavailableError, match="PATH_ and run again"):
        url.resolve({"HOST": "example.com"})


@pytest.mark.parametrize("text", ["${}", "${A-B}", "${A", "two\nlines", "", "https://u:p@example.com"])
def test_broken_variables_and_urls_with_passwords_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(EnvText).validate_python(text)


def test_a_reference_is_shown_as_a_reference() -> None:
    reference = SecretReference.parse("env:TOKEN")
    assert str(reference) == "env:TOKEN"
    assert TypeAdapter(SecretReference).dump_python(reference, mode="json") == "env:TOKEN"
