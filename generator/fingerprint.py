"""Identity by content: what forces a new training is hashed, what people read is not.

Pure functions over canonical JSON (sorted keys, UTF-8, no spaces). `HASH_VERSION` is part of every hash, so
that a change of the algorithm is visible as such and never mistaken for a change of the user's spec.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

HASH_VERSION = 1

# Parts of a template's spec on which no result depends: who may pull the image, the defaults and descriptions
# of parameters (a configuration binds every parameter), and how long and how often a run is tried.
_SPEC_WITHOUT_EFFECT = frozenset({"arguments", "imagePullSecrets", "activeDeadlineSeconds"})
_STEP_WITHOUT_EFFECT = frozenset({"activeDeadlineSeconds", "retryStrategy"})


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def canonical_json(value: object) -> bytes:
    """The one spelling of a JSON value."""
    return _CANONICAL.encode(value).encode("utf-8")


def digest(kind: str, value: object) -> str:
    """SHA-256 in hex of a value, kept apart from values of any other `kind`."""
    return hashlib.sha256(
        canonical_json({"hash_version": HASH_VERSION, "kind": kind, "value": value})
    ).hexdigest()


def template_fingerprint(template: Mapping[str, Any]) -> str:
    """Fingerprint (64 hex digits) of what a run of a WorkflowTemplate, or a server of a ServingTemplate,
    depends on.

    Image, command, environment, artifacts, volumes and the resource plan enter. The template's name, its
    labels, titles and descriptions, parameter defaults, the pull secret, deadlines and retries do not.
    """
    spec = template.get("spec", {})
    kept = {key: value for key, value in spec.items() if key not in _SPEC_WITHOUT_EFFECT}
    if isinstance(kept.get("templates"), list):
        kept["templates"] = [_step(step) for step in kept["templates"]]
    if template.get("kind") == "ServingTemplate":
        kept["inputs"] = _names(spec.get("inputs") or {})
    return digest("template", kept)


def _step(step: Any) -> Any:
    if not isinstance(step, Mapping):
        return step
    return {key: value for key, value in step.items() if key not in _STEP_WITHOUT_EFFECT}


def _names(inputs: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Names of the inputs of a ServingTemplate, without defaults and descriptions."""
    return {side: [item.get("name") for item in items or []] for side, items in inputs.items()}


def configuration_fingerprint(
    *, executable: str, template: str, parameters: Mapping[str, str], inputs: Mapping[str, str]
) -> str:
    """Fingerprint (64 hex digits) of one configuration.

    `template` is the template's fingerprint, `inputs` maps each input artifact to its dataset's fingerprint.
    The configuration's name in AI Core is `<name>--<first 12 digits>`.
    """
    return digest(
        "configuration",
        {
            "executable": executable,
            "template": template,
            "parameters": dict(parameters),
            "inputs": dict(inputs),
        },
    )


def manifest_fingerprint(entries: Iterable[tuple[str, int, str]]) -> str:
    """Fingerprint (64 hex digits) of a folder: (relative path, size in bytes, SHA-256 in hex) of each file,
    in any order."""
    return digest("manifest", sorted([path, size, sha256] for path, size, sha256 in entries))
