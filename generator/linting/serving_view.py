"""A ServingTemplate as the rules see it: the document and the texts inside of it, read as one tree."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from generator.linting.expressions import EXPRESSION
from generator.linting.inner import Inner, read_inner
from generator.linting.schema import schema_findings
from generator.linting.view import Document, Finding, Json, Part, listed, templated
from generator.spec.reader import Path

ANNOTATIONS: Path = ("spec", "template", "metadata", "annotations")
LABELS: Path = ("spec", "template", "metadata", "labels")
SPEC: Path = ("spec", "template", "spec")
PREDICTOR: Path = (*SPEC, "predictor")


class ServingView(Document):
    """A document that fits the outer schema of a ServingTemplate."""

    _arguments = "inputs"

    @cached_property
    def inner(self) -> dict[Path, Inner]:
        """The texts, by where they stand."""
        template = self.spec.get("template") or {}
        metadata = template.get("metadata") or {}
        texts = {
            ANNOTATIONS: metadata.get("annotations"),
            LABELS: metadata.get("labels"),
            SPEC: template.get("spec"),
        }
        return {path: read_inner(text) for path, text in texts.items() if isinstance(text, str)}

    def data(self, path: Path) -> Json:
        """What a text holds; empty when there is none, or when nobody can know."""
        inner = self.inner.get(path)
        return (inner.data if inner else None) or {}

    @cached_property
    def opaque(self) -> bool:
        """Whether a text decides its own structure when it is filled."""
        return any(inner.opaque for inner in self.inner.values())

    @cached_property
    def predictor(self) -> Part:
        """`predictor` of the inner spec."""
        return Part(PREDICTOR, self.data(SPEC).get("predictor") or {})

    @cached_property
    def serving(self) -> list[Part]:
        """The predictor's containers, without those that run before it."""
        return listed(self.predictor.value, PREDICTOR, "containers")

    @cached_property
    def containers(self) -> list[Part]:
        return [*self.serving, *listed(self.predictor.value, PREDICTOR, "initContainers")]

    @cached_property
    def pull_secrets(self) -> list[Part]:
        outer = listed(self.spec, ("spec",), "imagePullSecrets")
        return [*outer, *listed(self.predictor.value, PREDICTOR, "imagePullSecrets")]

    @cached_property
    def pods(self) -> list[Part]:
        return [self.predictor]

    @cached_property
    def inner_labels(self) -> list[Part]:
        return [Part(LABELS, self.data(LABELS))]

    @cached_property
    def artifacts(self) -> list[Part]:
        """Input artifacts."""
        return listed(self.spec.get("inputs") or {}, ("spec", "inputs"), "artifacts")

    @cached_property
    def references(self) -> list[tuple[Path, str]]:
        """Every reference in the texts, and where it stands."""
        found: list[tuple[Path, str]] = []
        for path, inner in self.inner.items():
            places: list[tuple[Path, str]] = (
                [(path, inner.text)] if inner.data is None else templated(inner.data, path)
            )
            found += [(where, match) for where, text in places for match in EXPRESSION.findall(text)]
        return found

    def problems(self) -> Iterator[Finding]:
        """Texts that are no YAML, or no InferenceService."""
        from generator.linting.serving_schema import InferenceServiceSpec

        for path, inner in self.inner.items():
            if inner.problem:
                line, _ = inner.problem.position
                message = f"{inner.problem.message} (line {line} of the text)"
                yield Finding(path, "serving-text", message)
        if SPEC in self.inner and self.inner[SPEC].data is not None:
            for finding in schema_findings(InferenceServiceSpec, self.inner[SPEC].data):
                yield finding._replace(where=(*SPEC, *finding.where))


def outer_problems(document: Json) -> list[Finding]:
    """What does not fit the schema of a ServingTemplate."""
    from generator.linting.serving_schema import ServingTemplate

    return list(schema_findings(ServingTemplate, document))
