"""`kind: Environment`: where scenarios run. Secrets appear only as references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from generator.spec.model import SpecModel
from generator.spec.operations import Daemon, FileLock, Lock, Notification, Policy
from generator.spec.overrides import ScenarioOverrides
from generator.spec.references import EnvText, SecretReference
from generator.spec.types import (
    ApplicationName,
    BranchName,
    DockerSecretName,
    GenericSecretName,
    GroupLabelKey,
    Image,
    Line,
    ObjectName,
    ObjectStoreName,
    RelativePath,
    RepositoryName,
    ResourceGroup,
    ScenarioId,
    SecretKey,
    Text,
)


class EnvironmentMetadata(SpecModel):
    """Who the environment is."""

    name: ObjectName
    """Name on the command line (`-e NAME`) and of the folder under `rendered/`."""
    description: Text | None = None
    """What the environment is for."""


class AICoreConnection(SpecModel):
    """How to reach the AI API."""

    connection: Literal["local", "profile", "serviceKey"]
    """`local`: the local AI Core; `profile`: a profile of the official SDK; `serviceKey`: a service key by
    reference."""
    data: Line | None = None
    """Connection `local`: data folder of the local AI Core, relative to the project root (default
    `.corespec/local`)."""
    profile: Line | None = None
    """Connection `profile`: name of the profile (`AICORE_PROFILE`)."""
    service_key: SecretReference | None = None
    """Connection `serviceKey`: `env:NAME` or `file:PATH` of the service key's JSON."""

    @model_validator(mode="before")
    @classmethod
    def _default_data(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("connection") == "local":
            return {"data": ".corespec/local", **values}
        return values

    @model_validator(mode="after")
    def _matching_field(self) -> AICoreConnection:
        fields = {"local": self.data, "profile": self.profile, "serviceKey": self.service_key}
        names = {"local": "data", "profile": "profile", "serviceKey": "serviceKey"}
        if fields[self.connection] is None:
            raise PydanticCustomError(
                "connection",
                "connection `{kind}` needs `{field}`",
                {"kind": self.connection, "field": names[self.connection]},
            )
        for kind, value in fields.items():
            if kind != self.connection and value is not None:
                raise PydanticCustomError(
                    "connection",
                    "`{field}` belongs to connection `{kind}`, not to `{connection}`",
                    {"field": names[kind], "kind": kind, "connection": self.connection},
                )
        return self


class DirectoryStore(SpecModel):
    """An object store that is a folder: the local AI Core's."""

    type: Literal["directory"]
    """Kind of object store."""
    path: Line
    """Folder, relative to the project root."""


class S3Store(SpecModel):
    """An object store that speaks S3."""

    type: Literal["s3"]
    """Kind of object store."""
    bucket: EnvText
    """Bucket; `${NAME}` is expanded."""
    path_prefix: RelativePath | None = None
    """Folder in the bucket under which everything lies."""
    endpoint: EnvText | None = None
    """URL of the service when it is not AWS; `${NAME}` is expanded."""
    region: Line | None = None
    """Region of the bucket."""
    access_key_id: SecretReference | None = None
    """Reference to the access key id; absent: the SDK's own search."""
    secret_access_key: SecretReference | None = None
    """Reference to the secret access key."""
    register_secret: StrictBool = Field(default=False, alias="register")
    """Create the object store secret in AI Core, and keep it in line with this section."""

    @model_validator(mode="after")
    def _credentials(self) -> S3Store:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise PydanticCustomError(
                "credentials", "give both `accessKeyId` and `secretAccessKey`, or neither"
            )
        if self.register_secret and self.access_key_id is None:
            raise PydanticCustomError(
                "credentials", "`register: true` needs `accessKeyId` and `secretAccessKey`"
            )
        return self


ObjectStore = Annotated[DirectoryStore | S3Store, Field(discriminator="type")]


class BaseImages(SpecModel):
    """Images that the images of executables are built on."""

    cpu: Image = "python:3.11-slim-bookworm"
    """Where `gpu` is off."""
    gpu: Image = "python:3.11-slim-bookworm"
    """Where `gpu` is on. torch brings CUDA in its own packages, so the base need not."""


class Docker(SpecModel):
    """Where images go, and the secret with which AI Core pulls them."""

    registry: EnvText
    """Registry host and namespace: `docker.io/acme`; `${NAME}` is expanded."""
    secret: DockerSecretName
    """Name of the AI Core docker registry secret."""
    username: SecretReference | None = None
    """Reference to the user name."""
    password: SecretReference | None = None
    """Reference to the password or token."""
    bases: BaseImages = Field(default_factory=BaseImages)
    """Base images, where a registry of your own mirrors them. Python 3.11 must be `python` in them."""

    @model_validator(mode="after")
    def _credentials(self) -> Docker:
        if (self.username is None) != (self.password is None):
            raise PydanticCustomError("credentials", "give both `username` and `password`, or neither")
        return self


class GenericSecret(SpecModel):
    """A generic secret of AI Core: values for the containers of custom workflows."""

    data: Annotated[Mapping[SecretKey, SecretReference], Field(min_length=1)]
    """Key -> reference to its value."""
    tenant_wide: StrictBool = False
    """For every resource group of the tenant instead of the environment's own; a secret of that name in a
    group wins there."""


class Git(SpecModel):
    """The GitOps repository from which AI Core takes the templates."""

    url: EnvText
    """Path or URL of the repository as AI Core sees it; `${NAME}` is expanded."""
    branch: BranchName = "main"
    """Branch that AI Core follows."""
    path: RelativePath = ""
    """Folder in the repository that AI Core follows (default `rendered/<environment>/templates`)."""
    repository: RepositoryName
    """Name of the AI Core repository; onboarded when absent, its credentials kept in line."""
    application: ApplicationName
    """Name of the AI Core application; created when absent, and kept in line with this section."""
    username: SecretReference | None = None
    """Reference to the user name."""
    password: SecretReference | None = None
    """Reference to the password or token."""
    publish: Literal["direct", "pull-request", "none"] = "none"
    """What `corespec reconcile` may do with a stale `rendered/`."""

    @model_validator(mode="after")
    def _credentials(self) -> Git:
        if (self.username is None) != (self.password is None):
            raise PydanticCustomError("credentials", "give both `username` and `password`, or neither")
        return self


class Environment(SpecModel):
    """One place where scenarios run."""

    api_version: Literal["corespec/v1"]
    """Version of the spec language."""
    kind: Literal["Environment"]
    """Kind of document."""
    metadata: EnvironmentMetadata
    """Who the environment is."""
    ai_core: AICoreConnection
    """How to reach the AI API."""
    resource_group: ResourceGroup = "default"
    """Resource group of everything that runs."""
    resource_group_labels: Mapping[GroupLabelKey, Text] = Field(default_factory=dict)
    """Labels of the resource group; others that it has stay."""
    object_stores: Annotated[Mapping[ObjectStoreName, ObjectStore], Field(min_length=1)]
    """Object stores by the name of their AI Core object store secret."""
    docker: Docker | None = None
    """Where images go."""
    secrets: Mapping[GenericSecretName, GenericSecret] = Field(default_factory=dict)
    """Generic secrets, by their names in AI Core."""
    git: Git
    """The GitOps repository."""
    policy: Policy = Field(default_factory=Policy)
    """Limits on what one apply may spend."""
    lock: Lock = Field(default_factory=lambda: FileLock(type="file"))
    """What keeps writers apart."""
    daemon: Daemon = Field(default_factory=Daemon)
    """How `corespec reconcile` repeats."""
    notifications: tuple[Notification, ...] = ()
    """Where to tell of what happens."""
    catalog: tuple[RelativePath, ...] = ()
    """Folders of workflows of your own, relative to the project root; every environment may use them."""
    overrides: Mapping[ScenarioId, ScenarioOverrides] = Field(default_factory=dict)
    """What differs here from the scenarios as written."""

    @model_validator(mode="before")
    @classmethod
    def _default_path(cls, values: Any) -> Any:
        metadata, git = (
            (values.get("metadata"), values.get("git")) if isinstance(values, dict) else (None, None)
        )
        if isinstance(metadata, dict) and isinstance(git, dict) and isinstance(metadata.get("name"), str):
            return {**values, "git": {"path": f"rendered/{metadata['name']}/templates", **git}}
        return values
