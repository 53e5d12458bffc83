"""`images.lock.yaml`: which content a tag stood for when it was pushed or last asked for.

`corespec image push` and `corespec image lock` write it; rendering puts the digest behind the tag, so that
what was reviewed is what runs, whoever moves the tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from generator.spec.model import SpecModel
from generator.spec.types import IMAGE, Text, image_problem

LOCK_PATH = "images.lock.yaml"
_DIGEST = r"sha256:[0-9a-f]{64}"


def _tagged(value: str) -> str:
    problem = image_problem(value)
    match = IMAGE.fullmatch(value)
    if problem or match is None or match["digest"]:
        raise PydanticCustomError("image_reference", "must be `host/name:tag`, without a digest")
    return value


def _digest(value: str) -> str:
    if len(value) != 71 or not value.startswith("sha256:") or set(value[7:]) - set("0123456789abcdef"):
        raise PydanticCustomError("image_digest", "must be `sha256:` and 64 hexadecimal digits")
    return value


TaggedImage = Annotated[Text, AfterValidator(_tagged)]
Digest = Annotated[
    Text, AfterValidator(_digest), WithJsonSchema({"type": "string", "pattern": f"^{_DIGEST}$"})
]


class ImageLock(SpecModel):
    """Digests of images by `host/name:tag`."""

    api_version: Literal["corespec/v1"]
    """Version of the spec language."""
    kind: Literal["ImageLock"]
    """Kind of document."""
    images: Mapping[TaggedImage, Digest] = Field(default_factory=dict)
    """Digest of the manifest behind each tag."""
