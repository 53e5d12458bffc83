"""How long a run may take and how often it is tried (Argo Workflows; SAP docs, workflow templates)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.linting.view import Finding, Part, Rule, View
from generator.suggest import did_you_mean

_POLICIES = ("Always", "OnFailure", "OnError", "OnTransientError")
# Go's durations, as `1h30m`; Argo takes a bare number for seconds.
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+|\d+")


def deadlines(view: View) -> Iterator[Finding]:
    """A run ends some day; deadlines are whole seconds and stand where Argo looks at them."""
    for part in (Part(("spec",), view.spec), *view.templates):
        seconds = part.value.get("activeDeadlineSeconds")
        if seconds is None or "{{" in str(seconds):
            continue
        where = (*part.where, "activeDeadlineSeconds")
        if not str(seconds).isdecimal() or int(seconds) == 0:
            yield Finding(where, "deadline", "must be a whole number of seconds above 0")
        elif not _is_leaf(view, part):
            yield Finding(where, "deadline", "Argo takes it from `spec` or from a template with a container")
    for template in view.templates:
        timeout = str(template.value.get("timeout") or "1s")
        if "{{" not in timeout and (timeout.isdecimal() or not _DURATION.fullmatch(timeout)):
            message = "must be a duration with its unit, as `30m`"
            yield Finding((*template.where, "timeout"), "deadline", message)
    if view.spec.get("activeDeadlineSeconds") is None:
        message = "SAP recommends `activeDeadlineSeconds`, so that no stuck process runs up costs"
        yield Finding(("spec",), "missing-deadline", message)


def _is_leaf(view: View, part: Part) -> bool:
    return part.value is view.spec or not any(part.value.get(kind) is not None for kind in ("steps", "dag"))


def retries(view: View) -> Iterator[Finding]:
    """A retry strategy says how often, after what, and after how long, in words that Argo knows."""
    for holder in (Part(("spec",), view.spec), *view.templates):
        strategy = holder.value.get("retryStrategy")
        if strategy:
            for field, message in _problems(Part((), strategy)):
                yield Finding((*holder.where, "retryStrategy", *field.split(".")), "retry-strategy", message)


def _problems(strategy: Part) -> Iterator[tuple[str, str]]:
    limit = strategy.value.get("limit")
    if limit is not None and "{{" not in str(limit) and not str(limit).isdecimal():
        yield "limit", "must be a whole number, 0 or more"
    policy = strategy.value.get("retryPolicy")
    if policy and policy not in _POLICIES:
        yield "retryPolicy", f"is no policy; {did_you_mean(str(policy), _POLICIES)}"
    backoff = strategy.value.get("backoff") or {}
    for key in ("duration", "maxDuration", "cap"):
        value = backoff.get(key)
        if value is not None and "{{" not in value and not _DURATION.fullmatch(value):
            yield f"backoff.{key}", "must be a duration, as `30s` or `2m`"
    factor = backoff.get("factor")
    if factor is not None and "{{" not in str(factor) and not (str(factor).isdecimal() and int(factor)):
        yield "backoff.factor", "must be a whole number above 0"


RULES: tuple[Rule, ...] = (deadlines, retries)
