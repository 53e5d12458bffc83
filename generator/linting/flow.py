"""Entrypoint, templates, steps and tasks, as Argo's own validation wants them. Neither hera nor Argo's schema
nor the API server checks these."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.linting.view import TYPES, Finding, Part, Rule, View, listed, ports, repeated
from generator.suggest import did_you_mean

_FIELD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,127}")
_NAME_RULE = "must be 1 to 128 letters, digits and hyphens, beginning with a letter or digit"


def entrypoint(view: View) -> Iterator[Finding]:
    """The workflow begins at a template that exists."""
    start = view.spec.get("entrypoint")
    if start not in view.template_names:
        message = f"names no template; {did_you_mean(str(start or ''), view.template_names)}"
        yield Finding(("spec", "entrypoint"), "entrypoint", message)


def templates(view: View) -> Iterator[Finding]:
    """Templates have legal names of their own, and are of exactly one type."""
    for part in view.templates:
        if not _FIELD_NAME.fullmatch(part.name):
            yield Finding((*part.where, "name"), "template-name", _NAME_RULE)
        types = [kind for kind in TYPES if part.value.get(kind) is not None]
        if len(types) != 1:
            message = f"needs exactly one of {', '.join(TYPES)}; it has {' and '.join(types) or 'none'}"
            yield Finding(part.where, "template-type", message)
    for part in repeated(view.templates):
        message = f"there already is a template `{part.name}`"
        yield Finding((*part.where, "name"), "duplicate-template", message)


def calls(view: View) -> Iterator[Finding]:
    """Steps and tasks have legal names of their own and call templates that exist."""
    names = set(view.template_names)
    for steps in view.calls:
        for part in repeated(steps):
            message = f"there already is a step or task `{part.name}`"
            yield Finding((*part.where, "name"), "duplicate-step", message)
        for part in steps:
            if not _FIELD_NAME.fullmatch(part.name):
                yield Finding((*part.where, "name"), "step-name", _NAME_RULE)
            called = part.value.get("template")
            if not (part.value.get("templateRef") or part.value.get("inline")) and called not in names:
                message = f"names no template; {did_you_mean(str(called or ''), names)}"
                yield Finding((*part.where, "template"), "unknown-template", message)


def unused(view: View) -> Iterator[Finding]:
    """A template that nothing calls never runs. Silent while a call leads nowhere."""
    if not view.called <= set(view.template_names) or not view.spec.get("entrypoint"):
        return
    for part in view.templates:
        if part.name not in view.called:
            message = "no step, task, hook or entrypoint calls it"
            yield Finding((*part.where, "name"), "unused-template", message)


def arguments(view: View) -> Iterator[Finding]:
    """A call hands over every parameter that its template cannot do without."""
    wanted = {template.name: _required(template) for template in view.templates}
    for steps in view.calls:
        for part in steps:
            given = {item.name for item in listed(part.value.get("arguments") or {}, (), "parameters")}
            missing = [name for name in wanted.get(str(part.value.get("template")), ()) if name not in given]
            if missing:
                named = ", ".join(f"`{name}`" for name in missing)
                message = f"template `{part.value.get('template')}` needs {named}"
                yield Finding((*part.where, "arguments"), "missing-argument", message)


def _required(template: Part) -> list[str]:
    return [
        part.name
        for part in ports(template, "inputs", "parameters")
        if all(part.value.get(key) is None for key in ("default", "value", "valueFrom"))
    ]


RULES: tuple[Rule, ...] = (entrypoint, templates, calls, unused, arguments)
