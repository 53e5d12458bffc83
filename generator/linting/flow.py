"""Entrypoint, templates, steps and tasks. Neither hera nor Argo's schema nor the API server checks these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator.linting.view import Finding, Part, View, repeated
from generator.suggest import did_you_mean


def entrypoint(view: View) -> Iterator[Finding]:
    """The workflow begins at a template that exists."""
    names = [str(part.value.get("name")) for part in view.templates]
    start = view.spec.get("entrypoint")
    if start not in names:
        message = f"names no template; {did_you_mean(str(start or ''), names)}"
        yield Finding(("spec", "entrypoint"), "entrypoint", message)


def template_names(view: View) -> Iterator[Finding]:
    """Template names are unique."""
    for part in repeated(view.templates):
        message = f"there already is a template `{part.value.get('name')}`"
        yield Finding((*part.where, "name"), "duplicate-template", message)


def calls(view: View) -> Iterator[Finding]:
    """Steps and tasks are unique in their template and call templates that exist."""
    names = [str(part.value.get("name")) for part in view.templates]
    for template in view.templates:
        steps = list(view.calls(template))
        for part in repeated(steps):
            message = f"there already is a step or task `{part.value.get('name')}`"
            yield Finding((*part.where, "name"), "duplicate-step", message)
        for part in steps:
            called = part.value.get("template")
            if not (part.value.get("templateRef") or part.value.get("inline")) and called not in names:
                message = f"names no template; {did_you_mean(str(called or ''), names)}"
                yield Finding((*part.where, "template"), "unknown-template", message)


def unused(view: View) -> Iterator[Finding]:
    """A template that nothing calls never runs."""
    called = {part.value.get("template") for template in view.templates for part in view.calls(template)}
    called |= {view.spec.get("entrypoint"), view.spec.get("onExit")}
    for part in view.templates:
        if part.value.get("name") not in called:
            yield Finding((*part.where, "name"), "unused-template", "no step, task or entrypoint calls it")


def cycles(view: View) -> Iterator[Finding]:
    """No task waits for itself, and no template calls itself, over however many others."""
    for template in view.templates:
        tasks = [part for part in view.calls(template) if "dag" in part.where]
        names = {str(part.value.get("name")) for part in tasks}
        edges = {str(part.value.get("name")): list(part.value.get("dependencies") or []) for part in tasks}
        for part in tasks:
            for dependency in part.value.get("dependencies") or []:
                if dependency not in names:
                    message = f"waits for `{dependency}`, which is no task; {did_you_mean(dependency, names)}"
                    yield Finding((*part.where, "dependencies"), "unknown-dependency", message)
        cycle = find_cycle(edges)
        if cycle:
            message = f"tasks wait for each other: {' -> '.join(cycle)}"
            yield Finding((*template.where, "dag"), "cycle", message)
    calls_of = {str(part.value.get("name")): _called(view, part) for part in view.templates}
    cycle = find_cycle(calls_of)
    if cycle:
        yield Finding(("spec", "templates"), "cycle", f"templates call each other: {' -> '.join(cycle)}")


def _called(view: View, template: Part) -> list[str]:
    return [str(part.value["template"]) for part in view.calls(template) if part.value.get("template")]


def find_cycle(edges: Mapping[str, list[str]]) -> list[str]:
    """A cycle in a graph as the names along it, first name repeated at the end; empty when there is none."""
    done: set[str] = set()
    for start in edges:
        path: list[str] = []
        stack = [(start, iter(edges[start]))]
        while stack:
            node, following = stack[-1]
            if node not in path:
                path.append(node)
            step = next((item for item in following if item in edges and item not in done), None)
            if step in path:
                return [*path[path.index(str(step)) :], str(step)]
            if step is None:
                done.add(node)
                path.pop()
                stack.pop()
            else:
                stack.append((step, iter(edges[step])))
    return []


RULES = (entrypoint, template_names, calls, unused, cycles)
