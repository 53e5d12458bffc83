"""Lint for WorkflowTemplates and ServingTemplates: the strict schema first, then the meaning.

docs/lint.md explains every code; `generator.linting.codes` says which are errors and which are warnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from generator.errors import Diagnostic
from generator.linting import (
    artifacts,
    containers,
    dependencies,
    expressions,
    flow,
    identity,
    limits,
    registration,
    serving,
    variables,
    volumes,
)
from generator.linting.codes import severity
from generator.linting.inner import merged
from generator.linting.schema import kind_findings, workflow_findings
from generator.linting.serving_view import ServingView, outer_problems
from generator.linting.source import read_file
from generator.linting.tenant import Member, tenant_findings
from generator.linting.view import DocumentRule, Finding, Rule, View
from generator.spec.parse import dotted
from generator.spec.reader import Positions

__all__ = ["lint", "lint_file", "lint_files"]

DOCUMENT_RULES: tuple[DocumentRule, ...] = (
    *identity.RULES,
    *expressions.DOCUMENT_RULES,
    *containers.DOCUMENT_RULES,
    *variables.DOCUMENT_RULES,
)
WORKFLOW_RULES: tuple[Rule, ...] = (
    *flow.RULES,
    *dependencies.RULES,
    *expressions.RULES,
    *artifacts.RULES,
    *registration.RULES,
    *containers.RULES,
    *volumes.RULES,
    *limits.RULES,
)
_NOWHERE = Positions()


def errors(findings: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The findings that stop something; warnings are left out."""
    return [finding for finding in findings if finding.severity == "error"]


def lint(
    document: object, path: str, positions: Positions | None = None, *, strict: bool = False
) -> list[Diagnostic]:
    """Findings about one WorkflowTemplate or ServingTemplate, each with the field it speaks of; sorted, and
    empty when it is good. Never raises, whatever JSON-like value `document` is.

    `positions` gives line and column where the document was read from a file. `strict` holds the template to
    what corespec promises of those that it renders: most warnings become errors.
    """
    findings, places = _findings(document, positions or _NOWHERE)
    return _diagnostics(findings, path, places, strict=strict)


def lint_file(path: str, content: bytes, *, strict: bool = False) -> list[Diagnostic]:
    """Findings about a template file (YAML with any number of documents, or JSON), with line and column."""
    read, found = read_file(path, content)
    result = list(found)
    for data, places in read.documents:
        result += lint(data, path, places, strict=strict)
    return sorted(set(result))


def lint_files(files: Mapping[str, bytes], *, strict: bool = False) -> list[Diagnostic]:
    """Findings about template files, and about all of them together: they are what one tenant holds."""
    result: list[Diagnostic] = []
    members: list[Member] = []
    positions: list[Positions] = []
    for path, content in sorted(files.items()):
        read, found = read_file(path, content)
        result += found
        for data, places in read.documents:
            result += lint(data, path, places, strict=strict)
            if not kind_findings(data):
                members.append(Member(path, data))
                positions.append(places)
    if not files:
        message = "no template here; an empty folder fails to sync with `KeyError: 'operationState'`"
        result += _diagnostics([Finding((), "no-template", message)], ".", _NOWHERE, strict=strict)
    result += _tenant(members, positions, strict=strict)
    return sorted(set(result))


def lint_tenant(documents: Mapping[str, Mapping[str, Any]], *, strict: bool = False) -> list[Diagnostic]:
    """Only the rules over all templates of a tenant, for documents (path -> document) already linted."""
    members = [Member(path, document) for path, document in sorted(documents.items())]
    return sorted(_tenant(members, [_NOWHERE] * len(members), strict=strict))


def _tenant(members: list[Member], positions: list[Positions], *, strict: bool) -> list[Diagnostic]:
    return [
        diagnostic
        for index, finding in tenant_findings(members)
        for diagnostic in _diagnostics([finding], members[index].path, positions[index], strict=strict)
    ]


def _findings(document: object, positions: Positions) -> tuple[list[Finding], Positions]:
    wrong = kind_findings(document)
    if wrong or not isinstance(document, Mapping):
        return wrong, positions
    if document["kind"] == "WorkflowTemplate":
        return workflow_findings(document) or list(_workflow(View(document))), positions
    wrong = outer_problems(document)
    if wrong:
        return wrong, positions
    view = ServingView(document)
    return list(view.problems()) or list(_serving(view)), merged(positions, view.inner)


def _workflow(view: View) -> Iterator[Finding]:
    for shared in DOCUMENT_RULES:
        yield from shared(view)
    for rule in WORKFLOW_RULES:
        yield from rule(view)


def _serving(view: ServingView) -> Iterator[Finding]:
    for shared in DOCUMENT_RULES:
        yield from shared(view)
    for rule in serving.RULES:
        yield from rule(view)


def _diagnostics(
    findings: Iterable[Finding], path: str, places: Positions, *, strict: bool
) -> list[Diagnostic]:
    found = {
        Diagnostic(
            path,
            *(places.of_key(item.where) if item.at_key else places.of(item.where)),
            item.code,
            f"{dotted(item.where)}: {item.message}".removeprefix(": "),
            severity(item.code, strict=strict),
        )
        for item in findings
    }
    return sorted(found)
