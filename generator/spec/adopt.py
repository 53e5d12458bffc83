"""What AI Core had before any spec, by its id: adopted configurations and deployments, known artifacts.

Configurations and artifacts never change in AI Core, so an id says all about one. What an id cannot say is
which template ran it; `content` does, on the word of whoever adopts.
"""

from __future__ import annotations

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from generator.spec.model import ArtifactKind, SpecModel
from generator.spec.types import ArtifactUrl, ContentDigits, ObjectId, Text


class AdoptedConfiguration(SpecModel):
    """A configuration that AI Core has under another name."""

    id: ObjectId
    """Its id in AI Core."""
    content: ContentDigits | None = None
    """First 12 digits of the fingerprint that it stands for: while the spec gives this one, its runs count.
    `corespec adopt` writes it."""


class AdoptedDeployment(SpecModel):
    """A model server that AI Core has already."""

    id: ObjectId
    """Its id in AI Core."""
    configuration: ObjectId | None = None
    """Id of the configuration that it served when it was adopted."""
    content: ContentDigits | None = None
    """First 12 digits of the fingerprint that this configuration stands for."""

    @model_validator(mode="after")
    def _whole(self) -> AdoptedDeployment:
        if (self.configuration is None) != (self.content is None):
            raise PydanticCustomError("adopt_content", "`configuration` and `content` belong together")
        return self


class KnownArtifact(SpecModel):
    """An artifact that AI Core has already; nothing is uploaded or registered for it."""

    kind: ArtifactKind = "dataset"
    """Kind of the AI Core artifact."""
    id: ObjectId | None = None
    """Its id. Give this or `url`."""
    url: ArtifactUrl | None = None
    """Its URL, such as `ai://default/meters/digits`; the oldest artifact of the scenario with it is meant."""
    description: Text | None = None
    """What it holds."""

    @model_validator(mode="after")
    def _one_name(self) -> KnownArtifact:
        if (self.id is None) == (self.url is None):
            raise PydanticCustomError("artifact_reference", "give exactly one of `id` and `url`")
        return self


def check_observe(adopted: object | None, observe: bool) -> None:
    """Only what is adopted can be observed: everything else would not be there at all."""
    if observe and adopted is None:
        raise PydanticCustomError("observe", "`observe: true` needs `adopt`, which says what is observed")
