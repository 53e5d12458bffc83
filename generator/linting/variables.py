"""Environment variables: legal, unique, and never a secret. The rules hold for both kinds of template."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from generator.linting.view import Document, DocumentRule, Finding, Part, listed, repeated

_NAME = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
# At the end of a name: MAX_TOKENS and SECRET_NAME hold no secret, DB_PASSWORD and apiKey do.
_SECRET_NAME = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)\d*$", re.IGNORECASE
)
_HARMLESS = re.compile(r"/.*|[\d.]+|true|false", re.IGNORECASE)  # a path, a number, a switch
_SECRET_VALUE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|://[^/\s:@]+:[^/\s@]+@")
_LOOKS = "looks like a secret; AI Core syncs no repository that holds one: use `secretKeyRef`"
_RESERVED = frozenset(
    {"AICORE_EXECUTION_ID", "AICORE_TRACKING_ENDPOINT", "AICORE_ARTIFACT_SIGNATURES", "AI-MAIN-TENANT"}
)


def environment(view: Document) -> Iterator[Finding]:
    """Variables are legal for Kubernetes, unique, and leave AI Core's own alone."""
    for container in view.containers:
        variables = listed(container.value, container.where, "env")
        for variable in repeated(variables):
            message = f"there already is a variable `{variable.name}`; the last one would win"
            yield Finding((*variable.where, "name"), "duplicate-variable", message)
        for variable in variables:
            name = variable.name
            if not _is_legal(name):
                message = "must be letters, digits and `_.-`, and not begin with a digit"
                yield Finding((*variable.where, "name"), "variable-name", message)
            elif name in _RESERVED:
                message = "AI Core sets this variable itself; choose another name"
                yield Finding((*variable.where, "name"), "reserved-variable", message)
            if variable.value.get("value") and variable.value.get("valueFrom"):
                message = "has `value` and `valueFrom`; keep one"
                yield Finding(variable.where, "variable-value", message)
            yield from _secrets(variable, "value")
        for key in ("command", "args", "source"):
            texts = container.value.get(key) or []
            if any(_SECRET_VALUE.search(text) for text in ([texts] if isinstance(texts, str) else texts)):
                yield Finding((*container.where, key), "secret-in-template", _LOOKS)


def defaults(view: Document) -> Iterator[Finding]:
    """A parameter's default lies in Git, and configurations show it to everybody."""
    for parameter in view.parameters:
        for key in ("default", "value"):
            yield from _secrets(parameter, key)


def _secrets(part: Part, key: str) -> Iterator[Finding]:
    value = part.value.get(key)
    if not value or not isinstance(value, str):
        return
    if _is_secret(part.name, value):
        yield Finding((*part.where, key), "secret-in-template", _LOOKS)


# Templates say the same of many variables, and many templates say the same.
@lru_cache(maxsize=8192)
def _is_legal(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


@lru_cache(maxsize=8192)
def _is_secret(name: str, value: str) -> bool:
    named = "{{" not in value and _SECRET_NAME.search(name) and not _HARMLESS.fullmatch(value)
    return bool(named) or _SECRET_VALUE.search(value) is not None


DOCUMENT_RULES: tuple[DocumentRule, ...] = (environment, defaults)
