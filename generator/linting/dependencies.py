"""What waits for what: no task waits for itself or for a task that is not there (Argo Workflows)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.graph import find_cycle
from generator.linting.view import Finding, Part, Rule, View
from generator.suggest import did_you_mean

_TASK = re.compile(
    r"([A-Za-z0-9_][A-Za-z0-9_-]*)(?:\.(?:Succeeded|Failed|Errored|Skipped|Omitted|Daemoned|AnySucceeded|AllFailed))?"
)


def tasks(view: View) -> Iterator[Finding]:
    """Dependencies name other tasks of the same DAG, in one of Argo's two ways to write them."""
    for template, calls in zip(view.templates, view.calls, strict=True):
        if "dag" not in template.value:
            continue
        own = [part for part in calls if "dag" in part.where]
        names = {part.name for part in own}
        edges = {part.name: _waits_for(part) for part in own}
        for part in own:
            for dependency in edges[part.name]:
                if dependency not in names:
                    key = "depends" if part.value.get("depends") else "dependencies"
                    message = f"waits for `{dependency}`, which is no task; {did_you_mean(dependency, names)}"
                    yield Finding((*part.where, key), "unknown-dependency", message)
        yield from _forms(template, own)
        cycle = find_cycle(edges)
        if cycle:
            message = f"tasks wait for each other: {' -> '.join(cycle)}"
            yield Finding((*template.where, "dag"), "cycle", message)


def _waits_for(task: Part) -> list[str]:
    return [*(task.value.get("dependencies") or []), *_TASK.findall(task.value.get("depends") or "")]


def _forms(template: Part, own: list[Part]) -> Iterator[Finding]:
    """Argo refuses `depends` and `dependencies` in one DAG, and then names that begin with a digit."""
    used = {key for key in ("depends", "dependencies") if any(part.value.get(key) for part in own)}
    if len(used) > 1:
        message = "`depends` and `dependencies` cannot stand in one DAG; write them all one way"
        yield Finding((*template.where, "dag"), "dependency-form", message)
    for part in own:
        if used and part.name[:1].isdigit():
            message = "the name of a task cannot begin with a digit where tasks depend on each other"
            yield Finding((*part.where, "name"), "dependency-form", message)


def recursion(view: View) -> Iterator[Finding]:
    """Templates that call each other run until a `when` ends them, which nothing can check."""
    edges = {
        template.name: [str(part.value["template"]) for part in calls if part.value.get("template")]
        for template, calls in zip(view.templates, view.calls, strict=True)
    }
    cycle = find_cycle(edges)
    if cycle:
        message = f"templates call each other: {' -> '.join(cycle)}"
        yield Finding(("spec", "templates"), "recursive-template", message)


RULES: tuple[Rule, ...] = (tasks, recursion)
