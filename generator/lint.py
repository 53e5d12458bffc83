"""Lint for WorkflowTemplates: the strict schema first, then the meaning. docs/lint.md explains every code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from generator.errors import Diagnostic
from generator.linting import artifacts, containers, expressions, flow, identity
from generator.linting.view import Finding, Rule, View
from generator.spec.parse import dotted
from generator.spec.reader import Positions, read

API_VERSION = "argoproj.io/v1alpha1"
RULES: tuple[Rule, ...] = (
    *identity.RULES,
    *flow.RULES,
    *expressions.RULES,
    *artifacts.RULES,
    *containers.RULES,
)


def errors(findings: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The findings that stop something; warnings are left out."""
    return [finding for finding in findings if finding.severity == "error"]


def lint(
    document: Mapping[str, Any], path: str, positions: Positions | None = None, *, strict: bool = False
) -> list[Diagnostic]:
    """Findings about one WorkflowTemplate, each with the path of the field it speaks of; empty when it is
    good.

    `positions` (from `generator.spec.reader.read`) gives line and column where the document was read from a
    file. `strict` holds the template to what corespec promises of those that it renders.
    """
    findings = _schema(document) or [finding for rule in RULES for finding in rule(View(document))]
    places = positions or Positions()
    return sorted(
        Diagnostic(path, *places.of(where), code, f"{dotted(where)}: {message}".removeprefix(": "))
        for where, code, message in findings
    )


def lint_file(path: str, content: bytes) -> list[Diagnostic]:
    """Findings about a template file, with line and column."""
    source = read(path, content)
    if source.data is None or source.diagnostics:
        return list(source.diagnostics)
    return lint(source.data, path, source.positions)


def _schema(document: Mapping[str, Any]) -> list[Finding]:
    """Argo's own schema, with unknown fields forbidden: hera drops them silently otherwise."""
    from hera.workflows.models import WorkflowTemplate  # half a second: only rendering pays it

    for key, expected in (("apiVersion", API_VERSION), ("kind", "WorkflowTemplate")):
        if document.get(key) != expected:
            return [Finding((key,), "template-kind", f"must be `{expected}`")]
    try:
        WorkflowTemplate.model_validate(dict(document), extra="forbid")
    except ValidationError as error:
        return [
            Finding(item["loc"], "template-schema", item["msg"])
            for item in error.errors(include_url=False, include_input=False)
        ]
    return []
