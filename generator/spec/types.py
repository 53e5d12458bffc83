"""The scalar types of the spec language. Each refuses with a sentence that says what is legal.

Limits are those of the AI Core API (ids, names, label values) and of Kubernetes, whichever is tighter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from generator.spec.scalars import spelled

MAX_PARAMETER_LENGTH = 5000  # AI Core API: parameterBindings[].value
MAX_DESCRIPTION_LENGTH = 5000
MAX_TITLE_LENGTH = 256

KNOWN_PLANS = ("starter", "basic", "basic.8x", "train.l", "infer.s", "infer.m", "infer.l")
GPU_PLANS = frozenset({"train.l", "infer.s", "infer.m", "infer.l"})

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNITS = (86400, 3600, 60, 1)
_IMAGE_HOST = r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)(?::\d+)?|[A-Za-z0-9-]+:\d+"
_IMAGE_PATH = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
IMAGE = re.compile(
    rf"(?P<host>{_IMAGE_HOST})/(?P<path>{_IMAGE_PATH}(?:/{_IMAGE_PATH})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def _no_environment(value: str) -> str:
    if "${" in value:
        raise PydanticCustomError(
            "env_not_allowed", "`${…}` is not expanded in this field; write the value itself"
        )
    return value


def _printable(value: str) -> str:
    if not value.replace("\n", "").replace("\t", "").isprintable():
        raise PydanticCustomError("control_character", "must not hold control characters")
    return value


def _one_line(value: str) -> str:
    if "\n" in value or not value.strip():
        raise PydanticCustomError("one_line", "must be one line of text")
    return value


Text = Annotated[
    str,
    BeforeValidator(spelled),
    StringConstraints(strict=True, max_length=MAX_DESCRIPTION_LENGTH),
    AfterValidator(_no_environment),
    AfterValidator(_printable),
]
Line = Annotated[
    Text, StringConstraints(max_length=MAX_TITLE_LENGTH, min_length=1), AfterValidator(_one_line)
]


def _legal(pattern: str, rule: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise PydanticCustomError("illegal_value", "must be {rule}", {"rule": rule})
        return value

    return check


def _name(pattern: str, rule: str) -> Any:
    """An annotation for text that fully matches `pattern`; `rule` completes the sentence 'must be …'."""
    return Annotated[
        Text,
        AfterValidator(_legal(pattern, rule)),
        WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$"}),
    ]


_WORD = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
ScenarioId = _name(
    rf"(?=.{{4,63}}$){_WORD}(?:\.{_WORD})*",
    "4 to 63 lower-case letters, digits, hyphens and dots (AI Core scenario id)",
)
ExecutableId = _name(
    r"(?=.{4,63}$)[a-z](?:[a-z0-9-]*[a-z0-9])?",
    "4 to 63 lower-case letters, digits and hyphens, beginning with a letter (AI Core executable id)",
)
ObjectName = _name(
    r"(?=.{1,63}$)(?!.*--)[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?",
    "1 to 63 lower-case letters, digits, single hyphens and underscores, with a letter or digit at both ends",
)
Version = _name(
    r"(?=.{1,63}$)[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?",
    "1 to 63 letters, digits, dots, hyphens and underscores, such as `0.0.1` (a Kubernetes label value)",
)
LabelKey = _name(
    r"ext\.ai\.sap\.com/[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?",
    "`ext.ai.sap.com/` and 1 to 63 letters, digits, dots, hyphens and underscores",
)
LabelValue = _name(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?",
    "at most 63 letters, digits, dots, hyphens and underscores (a Kubernetes label value)",
)
Quantity = _name(r"[1-9][0-9]{0,6}(?:Mi|Gi|Ti)", "a size with its unit, such as `512Mi` or `8Gi`")
MountPath = _name(
    r"(?=.{2,255}$)(?:/(?!\.{1,2}(?:/|$))[\w.-]+)+",
    "an absolute folder without `.`, `..` or a trailing slash",
)
StorageClass = _name(rf"(?=.{{1,253}}$){_WORD}(?:\.{_WORD})*", "the name of a Kubernetes storage class")
LeaseName = _name(
    r"(?=.{1,63}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?",
    "1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends (Kubernetes)",
)
ExecutionOutput = _name(
    r"[a-z0-9][a-z0-9_-]*(?:\.[\w+-]+)*\.[A-Za-z0-9][\w-]*",
    "`<execution>.<output artifact>`, such as `train.trainedmodel`",
)
TimeToLive = _name(r"[1-9][0-9]{0,5}[mhd]", "a time such as `10m`, `12h` or `7d` (AI Core's ttl)")
ObjectId = _name(r"[\w.-]{4,64}", "an id of AI Core: 4 to 64 letters, digits, dots, hyphens and underscores")
ContentDigits = _name(r"[0-9a-f]{12}", "the first 12 hexadecimal digits of a fingerprint")
ArtifactUrl = _name(
    r"(?=.{1,1024}$)[a-z0-9-]+://\S+", "the URL of an artifact, such as `ai://default/meters/digits`"
)
Sha256 = _name(r"[0-9a-f]{64}", "64 hexadecimal digits, in lower case")
ResourceGroup = _name(
    r"[a-zA-Z0-9][a-zA-Z0-9.-]{1,251}[a-zA-Z0-9]",
    "3 to 253 letters, digits, dots and hyphens (AI Core resource group)",
)
ObjectStoreName = _name(
    rf"(?=.{{1,233}}$){_WORD}(?:\.{_WORD})*",
    "a lower-case DNS name of at most 233 characters (AI Core object store secret)",
)
DockerSecretName = _name(
    r"(?=.{1,63}$)(?!.*__)[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?",
    "1 to 63 lower-case letters, digits, dots and hyphens (AI Core docker registry secret)",
)
ParameterName = _name(
    r"[A-Za-z_][A-Za-z0-9_]{0,63}", "1 to 64 letters, digits and underscores (it becomes a variable)"
)
GenericSecretName = _name(
    r"[a-z0-9.-]{1,252}", "1 to 252 lower-case letters, digits, hyphens and dots (AI Core generic secret)"
)
SecretKey = _name(
    r"[A-Za-z0-9._-]{1,253}", "1 to 253 letters, digits, dots, hyphens and underscores (key of a secret)"
)
GroupLabelKey = _name(
    r"ext\.ai\.sap\.com/(?!corespec\.)[A-Za-z0-9](?:[\w.-]{0,46}[A-Za-z0-9])?",
    "`ext.ai.sap.com/` and 1 to 48 letters, digits, dots, hyphens and underscores; `corespec.` is taken",
)
RepositoryName = _name(
    r"[a-z0-9-]{1,51}", "1 to 51 lower-case letters, digits and hyphens (AI Core repository)"
)
ApplicationName = _name(
    r"[a-z0-9-]{3,54}", "3 to 54 lower-case letters, digits and hyphens (AI Core application)"
)
InstanceType = _name(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "an instance type name (a Kubernetes label value)")
BranchName = _name(r"(?!.*(?:\.\.|//|@\{|\.lock$|\.$|/$))[A-Za-z0-9_][\w./-]*", "a legal Git branch name")


def _resource_plan(value: str) -> str:
    if value not in KNOWN_PLANS:
        raise PydanticCustomError(
            "unknown_plan",
            "`{value}` is no resource plan of AI Core; use one of {plans}, or `instanceType` instead",
            {"value": value, "plans": ", ".join(KNOWN_PLANS), "choices": list(KNOWN_PLANS)},
        )
    return value


def image_problem(image: str) -> tuple[str, str] | None:
    """Why an image reference cannot be used, as (code, sentence); None when it is pinned and complete."""
    match = IMAGE.fullmatch(image)
    if match is None and IMAGE.fullmatch(f"docker.io/{image}"):
        return "image_host", "the image must begin with its registry host, such as `docker.io/`"
    if match is None:
        return "image_reference", "must be an image reference: `host/name:tag` or `host/name@sha256:…`"
    if not match["digest"] and not match["tag"]:
        return "image_unpinned", "the image must be pinned by a tag or a digest"
    if not match["digest"] and match["tag"] == "latest":
        return "image_unpinned", "the tag `latest` moves; pin the image by a version tag or a digest"
    return None


def is_bare(image: str) -> bool:
    """Whether an image is `name:tag` alone, without host and folders: an environment says where it lies."""
    return "/" not in image


def _image(value: str) -> str:
    problem = image_problem(f"docker.io/{value}" if is_bare(value) else value)
    if problem:
        raise PydanticCustomError(*problem)
    return value


def parse_duration(value: object) -> int:
    """Seconds in a duration such as `6h`, `30m`, `2h30m` or `1d`; a bare number is refused: its unit is
    unknown."""
    text = spelled(value)
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    seconds = (
        sum(int(part) * unit for part, unit in zip(match.groups(), _UNITS, strict=True) if part)
        if match
        else 0
    )
    if seconds <= 0:
        raise PydanticCustomError("duration", "must be a duration with units, such as `30m`, `6h` or `2h30m`")
    return seconds


def _timestamp(value: object) -> datetime:
    try:
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d", value):
            moment = datetime.fromisoformat(value)
        else:
            raise ValueError
    except ValueError:
        raise PydanticCustomError(
            "timestamp", "must be an RFC 3339 time with its zone, such as `2026-01-31T08:00:00Z`"
        ) from None
    if moment.tzinfo is None:
        raise PydanticCustomError(
            "timestamp", "the time needs its zone: end it with `Z` or an offset like `+01:00`"
        )
    return moment


_CRON_FIELD = r"(?:\*|[0-9]{1,2}(?:-[0-9]{1,2})?)(?:/[0-9]{1,2})?"
_CRON_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def _cron(value: str) -> str:
    fields = value.split()
    legal = len(fields) == len(_CRON_LIMITS) and all(
        re.fullmatch(rf"{_CRON_FIELD}(?:,{_CRON_FIELD})*", field)
        and all(low <= int(number) <= high for number in re.findall(r"(?<![/0-9])[0-9]+", field))
        and all(int(step) > 0 for step in re.findall(r"/([0-9]+)", field))
        for field, (low, high) in zip(fields, _CRON_LIMITS, strict=True)
    )
    if not legal:
        raise PydanticCustomError(
            "cron",
            "must be five fields: minute, hour, day of month, month, day of week, such as `0 20 * * 1-5`",
        )
    return " ".join(fields)


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError("time_zone", "must be an IANA time zone, such as `Europe/Berlin`") from None
    return value


def _relative_path(value: str) -> str:
    parts = value.split("/")
    if value.startswith("/") or "\\" in value or any(part in {"", ".", ".."} for part in parts):
        raise PydanticCustomError(
            "relative_path",
            "must be a relative path with `/` between its parts, without `.`, `..` or empty parts",
        )
    return value


ResourcePlan = Annotated[Text, AfterValidator(_resource_plan), WithJsonSchema({"enum": list(KNOWN_PLANS)})]
Image = Annotated[Text, AfterValidator(_image), WithJsonSchema({"type": "string"})]
Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda seconds: f"{seconds}s", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(?=.)(\d+d)?(\d+h)?(\d+m)?(\d+s)?$"}),
]
Timestamp = Annotated[
    datetime, BeforeValidator(_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})
]
CronExpression = Annotated[Text, AfterValidator(_cron), WithJsonSchema({"type": "string"})]
TimeZone = Annotated[Line, AfterValidator(_time_zone)]
RelativePath = Annotated[Line, AfterValidator(_relative_path)]


def _parameter_value(value: object) -> object:
    if isinstance(value, str):
        return _no_environment(value)
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return tuple(_parameter_value(item) for item in value)
    if isinstance(value, tuple):
        return value
    raise PydanticCustomError("parameter_value", "must be text, a number, true, false or a list of these")


ParameterValue = Annotated[
    Any,
    AfterValidator(_parameter_value),
    WithJsonSchema(
        {"type": ["string", "number", "boolean", "array"], "items": {"type": ["string", "number", "boolean"]}}
    ),
]
