"""How what somebody else has made is written in a spec: names, owners, numbers of runs, parameters. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from generator.catalog import Workflow
from generator.spec.parameters import UnfitValueError, canonical
from reconciler.desired import DATASET_LABEL
from reconciler.live import Artifact, Execution

_SECRET = re.compile(r"passw|secret|token|credential|api_?key|private_?key", re.IGNORECASE)
_OWNER = re.compile(r"(^|[._/-])(owner|owned-by|managed-by|managedby)$", re.IGNORECASE)


def names(wanted: str) -> Iterator[str]:
    """Legal names like the one in AI Core: it, and then it with a number."""
    word = re.sub(r"[^a-z0-9_]+", "-", wanted.casefold()).strip("-_")[:50].strip("-_") or "unnamed"
    yield word
    number = 2
    while True:
        yield f"{word}-{number}"
        number += 1


def want(runs: Iterable[Execution]) -> dict[str, int]:
    """One, however often it was run: an edit shall not start as many. None where every run failed or was
    stopped, because nobody says that it is wanted."""
    return {} if any(run.status == "COMPLETED" or run.active for run in runs) else {"want": 0}


def owner(artifact: Artifact) -> str:
    """The label by which somebody else claims an artifact; empty where nobody does."""
    owned = (f"{key}={value}" for key, value in sorted(artifact.labels.items()) if _OWNER.search(key))
    other = artifact.labels.get(DATASET_LABEL)
    return next(owned, f"{DATASET_LABEL}={other}" if other else "")


def is_default(workflow: Workflow, name: str, default: str) -> bool:
    """Whether a default of AI Core's template is the workflow's own."""
    parameter = workflow.parameters[name]
    try:
        return canonical(parameter, default) == canonical(parameter, parameter.default)
    except UnfitValueError:
        return False


def typed(value: str, type_: str) -> Any:
    """Numbers and truth values as people write them, where the workflow says that it is one."""
    if type_ == "boolean" and value.casefold() in {"true", "false"}:
        return value.casefold() == "true"
    if type_ in {"integer", "number", "split"} and re.fullmatch(r"-?(0|[1-9][0-9]{0,14})", value):
        return int(value)
    if type_ in {"number", "split"} and re.fullmatch(r"-?(0|[1-9][0-9]{0,8})\.[0-9]{1,8}", value):
        return float(value)
    return value


def secret_among(parameters: Iterable[str]) -> str | None:
    """The first parameter whose name says that its value must not get into Git."""
    return next((name for name in parameters if _SECRET.search(name)), None)
