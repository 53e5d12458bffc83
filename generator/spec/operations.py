"""How an environment is operated: limits on spending, launch windows, locks, the daemon, messages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from generator.spec.model import SpecModel
from generator.spec.references import SecretReference
from generator.spec.types import CronExpression, Duration, LeaseName, ObjectStoreName, RelativePath, TimeZone


class Window(SpecModel):
    """A span of time that comes again, in which executions may or must not be started."""

    kind: Literal["allow", "deny"]
    """`allow`: outside of all allowed windows nothing starts; `deny`: inside of it. Deny wins."""
    cron: CronExpression
    """When it begins: minute, hour, day of month, month, day of week."""
    duration: Duration
    """How long it lasts."""
    time_zone: TimeZone = "UTC"
    """IANA time zone of `cron`: `Europe/Berlin`."""


class Prune(SpecModel):
    """How much `--prune` may take away in one apply; everything that is ours it never does."""

    max_percent: Annotated[StrictInt, Field(ge=1, le=100)] = 20
    """Most of the executions and deployments that are ours, in percent."""
    max_objects: Annotated[StrictInt, Field(ge=1, le=10000)] = 10
    """Most executions and deployments."""


class Policy(SpecModel):
    """Limits on what one apply may spend, and take away."""

    max_launches_per_apply: Annotated[StrictInt, Field(ge=0, le=1000)] = 3
    """Most executions that one apply starts."""
    max_concurrent: Annotated[StrictInt, Field(ge=1, le=1000)] = 2
    """Most executions of ours running at one time."""
    max_gpu_hours_per_day: Annotated[StrictInt | StrictFloat, Field(gt=0, le=100000)] | None = None
    """Most hours on GPU machines in any 24 hours; runs under way count with what they may still take."""
    windows: tuple[Window, ...] = ()
    """When executions may be started; absent: always. What runs is never stopped by a window."""
    prune: Prune = Field(default_factory=Prune)
    """How much `--prune` may take away."""


class FileLock(SpecModel):
    """One host: a file in its user's state folder."""

    type: Literal["file"]
    """Kind of lock."""


class S3Lock(SpecModel):
    """Several hosts: an object in a bucket that honours conditional writes."""

    type: Literal["s3"]
    """Kind of lock."""
    object_store: ObjectStoreName
    """Name of one of the environment's S3 object stores."""
    path: RelativePath = "corespec/locks"
    """Folder in it."""


class LeaseLock(SpecModel):
    """Several pods or hosts: a Lease of a Kubernetes cluster."""

    type: Literal["lease"]
    """Kind of lock."""
    namespace: LeaseName
    """Namespace of the Lease."""
    name: LeaseName = "corespec"
    """Name of the Lease; made where it is not there."""


Lock = Annotated[FileLock | S3Lock | LeaseLock, Field(discriminator="type")]


class Webhook(SpecModel):
    """Who may call the daemon awake."""

    provider: Literal["github", "gitlab", "generic"]
    """Whose signatures are checked."""
    secret: SecretReference
    """Reference to the secret that signs, or that is sent (GitLab)."""


class Daemon(SpecModel):
    """`corespec reconcile` as a daemon."""

    interval: Duration = 300
    """Between two rounds, a tenth more or less."""
    retry_interval: Duration = 30
    """After a round that failed; twice as long each time, up to `interval`."""
    webhook: Webhook | None = None
    """A push starts a round at once."""


class Notification(SpecModel):
    """Where to tell of what happens."""

    type: Literal["generic", "hmac", "slack"]
    """`generic`: JSON; `hmac`: JSON with a signature; `slack`: an incoming webhook."""
    url: SecretReference
    """Reference to the address, which is a secret itself."""
    secret: SecretReference | None = None
    """Type `hmac`: reference to the key of the signature."""
    severity: Literal["info", "error"] = "error"
    """Least severity that is told."""

    @model_validator(mode="after")
    def _key(self) -> Notification:
        if (self.type == "hmac") != (self.secret is not None):
            raise PydanticCustomError("credentials", "type `hmac` needs `secret`, the others have none")
        return self
