"""Secrets that are planted to be looked for: one for each field that holds a reference to one."""

from __future__ import annotations

import base64
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from generator.spec.references import SecretReference

#: Field of the environment (`[]` for any name or place) -> variable that holds its canary. `KEY` is none:
#: the service key is a file, and its client secret the canary.
PLANTED: Mapping[str, str] = {
    "ai_core.service_key": "KEY",
    "object_stores[].access_key_id": "STORE_ID",
    "object_stores[].secret_access_key": "STORE_KEY",
    "docker.username": "DOCKER_USER",
    "docker.password": "DOCKER_PASSWORD",
    "secrets[].data[]": "GENERIC_VALUE",
    "git.username": "GIT_USER",
    "git.password": "GIT_PASSWORD",
    "daemon.webhook.secret": "WEBHOOK_SECRET",
    "notifications[].url": "NOTIFY_URL",
    "notifications[].secret": "NOTIFY_KEY",
}
VARIABLES = tuple(name for name in PLANTED.values() if name != "KEY")


def reference_fields(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Paths of all fields of a model, and of those below it, that hold a reference to a secret."""
    for name, field in model.model_fields.items():
        yield from _references(field.annotation, f"{path}.{name}" if path else name)


def _references(annotation: Any, path: str) -> Iterator[str]:
    if annotation is SecretReference:
        yield path
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from reference_fields(annotation, path)
    origin = typing.get_origin(annotation)
    parts = typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from _references(parts[0], path)
    elif origin in {typing.Union, types.UnionType}:
        yield from dict.fromkeys(found for part in parts for found in _references(part, path))
    elif (
        origin is not None
    ):  # a mapping's key is a name; whatever else stands in brackets may hold references
        held = parts[1:] if isinstance(origin, type) and issubclass(origin, Mapping) else parts
        yield from dict.fromkeys(found for part in held for found in _references(part, f"{path}[]"))


def canary(name: str) -> str:
    """A value that URLs, base64 and JSON write in another way than it is."""
    return f'canary-{name.lower().replace("_", "-")}-7f3a91c2/+&"x'


def forms(value: str) -> frozenset[bytes]:
    """What a secret looks like when it is written down: as it is, in a URL, in JSON, in base64.

    Of base64, wherever the secret begins, those digits that do not depend on what stands beside it.
    """
    raw = value.encode()
    stem = raw.split(b"/")[0]  # what every spelling leaves as it is
    plain = {raw, stem, quote(value, safe="").encode(), quote(value).encode()}
    for before in range(3):
        digits = base64.b64encode(b"\0" * before + stem)
        plain.add(digits[4 if before else 0 : len(digits) // 4 * 4 - 4])
    return frozenset(plain | {form.replace(b"+", b"-").replace(b"/", b"_") for form in plain})


class Hunter:
    """Looks for planted secrets in all their forms."""

    def __init__(self, values: Iterable[str]) -> None:
        self._forms = {form: value for value in values for form in forms(value)}

    def clean(self, text: str | bytes, where: str) -> None:
        """Fail where one of them is in there."""
        content = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
        for form, value in self._forms.items():
            assert form not in content, f"{where} holds {value} as {form.decode()}"

    def clean_files(self, root: Path, except_for: Iterable[Path] = ()) -> int:
        """Every file below a folder but the named ones; returns how many it has read."""
        left_out, seen = {path.resolve() for path in except_for}, 0
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.resolve() not in left_out:
                self.clean(str(path).encode(), "a file's name")
                self.clean(path.read_bytes(), str(path.relative_to(root)))
                seen += 1
        return seen
