"""What every spec model shares."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

API_VERSION = "corespec/v1"
ArtifactKind = Literal["dataset", "model", "resultset", "other"]


class SpecModel(BaseModel):
    """Base of every spec model: strict about keys, frozen, camelCase in YAML, snake_case in Python.

    The text below a field says what it is; `spec.schema` reads it, and nothing else pays for that.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
    )
