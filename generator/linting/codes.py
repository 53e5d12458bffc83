"""Every code of lint and how much it weighs. docs/lint.md explains each, with its source and two examples."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Literal


class Level(Enum):
    """How a finding counts.

    ERROR: AI Core, Argo, KServe or Kubernetes refuses it, or it cannot work. PROMISE: it may run, yet nothing
    that corespec renders does it: a warning in a file that somebody wrote, an error in a rendered one
    (`strict`). ADVICE: worth knowing, a warning everywhere.
    """

    ERROR = "error"
    PROMISE = "promise"
    ADVICE = "advice"


_ERRORS = """
file-type yaml-syntax duplicate-key unreadable no-template template-kind template-schema
executable-name scenario-label version-label label-value name-annotation annotation-value
entrypoint template-type template-name duplicate-template unknown-template step-name duplicate-step
missing-argument unknown-dependency dependency-form cycle
parameter-name duplicate-parameter parameter-value parameter-description parameter-count
unresolved-reference output-parameter signature-parameter
artifact-name duplicate-artifact artifact-path path-conflict input-from artifact-kind artifact-labels
registered-name
image-reference pull-policy pull-secret security-context main-container duplicate-container
variable-name variable-value secret-in-template
volume-mount duplicate-volume mount-path volume-claim retry-strategy deadline
serving-text serving-artifact-name parameter-type serving-container serving-port replicas
cascade-update
duplicate-executable
"""
_PROMISES = """
executable-label unused-template recursive-template unused-parameter parameter-in-shell unknown-reference
trailing-slash shared-path output-global-name duplicate-global-name artifact-archive missing-kind
artifact-annotation output-location
container-command image-host image-pinned resource-plan container-name duplicate-variable reserved-variable
relative-mount unused-volume
old-container-name serving-parameters missing-port storage-uri unused-artifact autoscaling serving-logic
invisible-scenario scenario-text
"""
_ADVICE = "missing-deadline quota"

CODES: Mapping[str, Level] = {
    **dict.fromkeys(_ERRORS.split(), Level.ERROR),
    **dict.fromkeys(_PROMISES.split(), Level.PROMISE),
    **dict.fromkeys(_ADVICE.split(), Level.ADVICE),
}


def severity(code: str, *, strict: bool) -> Literal["error", "warning"]:
    """How a finding with this code counts; `strict` for templates that corespec rendered itself."""
    level = CODES[code]
    return "error" if level is Level.ERROR or (strict and level is Level.PROMISE) else "warning"
