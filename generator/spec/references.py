"""References instead of values: `env:NAME`, `file:PATH` for secrets, `${NAME}` inside a few documented
fields."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from generator.errors import ReferenceUnavailableError
from generator.spec.scalars import spelled

REFERENCE_PATTERN = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:[^\s].*)$"
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class SecretReference:
    """Where a secret lies: an environment variable (`env:NAME`) or a file (`file:PATH`)."""

    scheme: str
    target: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.target}"

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read `env:NAME` or `file:PATH`.

        A plain value is refused without being repeated: it may be the secret itself.
        """
        if not isinstance(text, str) or not re.fullmatch(REFERENCE_PATTERN, text):
            raise PydanticCustomError(
                "secret_value",
                "a secret must be a reference, `env:NAME` or `file:PATH`, never the value itself; "
                "if a value was committed here, revoke it",
            )
        scheme, _, target = text.partition(":")
        return cls(scheme, target)

    def resolve(self, root: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
        """The secret. A relative `file:` path starts at `root` (default: the current folder).

        Raises ReferenceUnavailableError when it is missing, unreadable or empty.
        """
        value = self._from_file(root) if self.scheme == "file" else self._from_environment(environ)
        if not value:
            raise ReferenceUnavailableError(f"{self} is empty: put the secret there and run again")
        return value

    def _from_environment(self, environ: Mapping[str, str] | None) -> str:
        value = (os.environ if environ is None else environ).get(self.target)
        if value is None:
            raise ReferenceUnavailableError(f"{self} is not set: export {self.target} and run again")
        return value

    def _from_file(self, root: Path | None) -> str:
        path = (root or Path()) / Path(self.target).expanduser()
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ReferenceUnavailableError(f"{self} cannot be read ({reason}): create {path}") from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.parse(value),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": REFERENCE_PATTERN}


class EnvText(str):
    """Text in which `${NAME}` stands for an environment variable, read when it is used and not before.

    Rendering and checking never need the variable; only the machine that talks to the place does.
    """

    __slots__ = ()

    def resolve(self, environ: Mapping[str, str] | None = None) -> str:
        """The text with every `${NAME}` replaced.

        Raises ReferenceUnavailableError naming the first variable that is not set.
        """
        known = os.environ if environ is None else environ

        def replace(match: re.Match[str]) -> str:
            value = known.get(match[1])
            if value is None:
                raise ReferenceUnavailableError(
                    f"${{{match[1]}}} is not set: export {match[1]} and run again"
                )
            return value

        return VARIABLE.sub(replace, self)

    @classmethod
    def parse(cls, value: object) -> Self:
        """Check the text: no broken `${…}`, no credentials inside a URL, one line."""
        text = spelled(value)
        if not isinstance(text, str) or not text.strip() or not text.isprintable():
            raise PydanticCustomError("string_type", "must be one line of text")
        if "${" in VARIABLE.sub("", text):
            raise PydanticCustomError(
                "env_syntax", "`${…}` must hold the name of an environment variable: `${NAME}`"
            )
        if re.search(r"://[^/@\s]*:[^/@\s]*@", text):
            raise PydanticCustomError(
                "secret_value", "a URL must not hold a password; use `username` and `password` references"
            )
        return cls(text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1}
