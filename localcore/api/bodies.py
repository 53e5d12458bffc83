"""Request bodies and their limits (aicore.md section 3). Unknown fields are ignored, as AI Core does."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

Id = Annotated[str, StringConstraints(pattern=r"^[\w.-]{4,64}$")]
ScenarioId = Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,64}$")]
_NAME = r"""^[\w\s.!?,;:\[\](){}<>"'=+*/\\^&%@\~$#|-]*$"""
Name = Annotated[str, StringConstraints(pattern=_NAME, min_length=1, max_length=256)]
ArtifactUrl = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+://.+$", max_length=1024)]
Description = Annotated[str, StringConstraints(max_length=5000)]
RepositoryName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$", max_length=51)]
ApplicationName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$", min_length=3, max_length=54)]
StoreName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=233)]
DockerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](_?[a-z0-9.-]+)*[a-z0-9]$", max_length=63)]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+$", max_length=252)]
GroupId = Annotated[
    str,
    StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9.-]{1,251}[a-zA-Z0-9]$", min_length=3, max_length=253),
]
SecretKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("must be base64") from None
    return text


Base64Text = Annotated[str, AfterValidator(_base64)]
MetricText = Annotated[str, StringConstraints(max_length=256)]


class Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, str_strip_whitespace=False)

    def wire(self) -> dict[str, Any]:
        """The fields by their names on the wire, unset ones left out."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


class Label(Body):
    key: Annotated[str, StringConstraints(pattern=r"^ext\.ai\.sap\.com/[\w.-]+$", max_length=256)]
    value: Description


class ArtifactBody(Body):
    name: Name
    kind: Literal["model", "dataset", "resultset", "other"]
    url: ArtifactUrl
    scenario_id: ScenarioId
    description: Description = ""
    labels: Annotated[list[Label], Field(max_length=100)] = []


class ParameterBinding(Body):
    key: MetricText
    value: Description


class ArtifactBinding(Body):
    key: MetricText
    artifact_id: Id


class ConfigurationBody(Body):
    name: Name
    scenario_id: ScenarioId
    executable_id: Id
    parameter_bindings: Annotated[list[ParameterBinding], Field(max_length=1000)] = []
    input_artifact_bindings: Annotated[list[ArtifactBinding], Field(max_length=1000)] = []


class ExecutionBody(Body):
    configuration_id: Id


class DeploymentBody(Body):
    configuration_id: Id
    ttl: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,8}[mMhHdD]$")] | None = None


class DeploymentPatch(Body):
    target_status: Literal["STOPPED"] | None = None
    configuration_id: Id | None = None


class BulkItem(Body):
    id: Id
    target_status: Literal["STOPPED", "DELETED"]


class DeploymentBulk(Body):
    deployments: Annotated[list[BulkItem], Field(min_length=1, max_length=100)]


class TargetBody(Body):
    target_status: Literal["STOPPED"]


class BulkBody(Body):
    executions: Annotated[list[BulkItem], Field(min_length=1, max_length=100)]


class NamedValue(Body):
    name: MetricText
    value: MetricText


class CustomInfo(Body):
    name: MetricText
    value: str


class MetricBody(Body):
    name: MetricText
    value: float
    timestamp: str | None = None
    step: Annotated[int, Field(ge=0)] | None = None
    labels: Annotated[list[NamedValue], Field(max_length=20)] = []


class MetricsBody(Body):
    execution_id: Id
    metrics: list[MetricBody] = []
    tags: list[NamedValue] = []
    custom_info: list[CustomInfo] = []


class RepositoryBody(Body):
    name: RepositoryName
    url: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    username: str = ""
    password: str = ""


class RepositoryPatch(Body):
    username: str
    password: str


class ApplicationPatch(Body):
    repository_url: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    path: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    revision: Annotated[str, StringConstraints(pattern=r"^[^-].*$", max_length=256)]


class ApplicationBody(Body):
    revision: Annotated[str, StringConstraints(pattern=r"^[^-].*$", max_length=256)]
    path: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    application_name: ApplicationName | None = None
    repository_name: str | None = None
    repository_url: str | None = None


class ObjectStoreBody(Body):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True)

    name: StoreName
    type: str
    data: dict[str, str] = {}
    bucket: str | None = None
    endpoint: str | None = None
    region: str | None = None
    path_prefix: str | None = None
    verifyssl: str | bool | int | None = None
    usehttps: str | bool | int | None = None


class DockerBody(Body):
    name: DockerName
    data: dict[str, str]


class DataBody(Body):
    data: dict[str, str]


class GroupLabel(Body):
    key: Annotated[str, StringConstraints(pattern=r"^ext\.ai\.sap\.com/[\w.-]+$", max_length=63)]
    value: Description


class SecretPatch(Body):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True)

    data: dict[SecretKey, Base64Text]
    labels: list[GroupLabel] | None = None


class SecretBody(SecretPatch):
    name: SecretName


class GroupBody(Body):
    resource_group_id: GroupId
    labels: list[GroupLabel] = []


class GroupPatch(Body):
    labels: list[GroupLabel]
