"""A template as the rules see it: its parts, each with the path at which it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from generator.spec.reader import Path

Json = Mapping[str, Any]

TYPES = (
    "container",
    "containerSet",
    "script",
    "steps",
    "dag",
    "resource",
    "suspend",
    "http",
    "data",
    "plugin",
)


class Finding(NamedTuple):
    """What a rule found: where, which rule, and what to do."""

    where: Path
    code: str
    message: str
    at_key: bool = False  # it speaks of the key, not of its value


class Part(NamedTuple):
    """A part of the document and where it stands."""

    where: Path
    value: Json

    @property
    def name(self) -> str:
        """The part's `name`, empty when it has none."""
        return str(self.value.get("name") or "")


class Text(NamedTuple):
    """A text that holds `{{`, and the template that it stands in (None outside of templates)."""

    where: Path
    text: str
    template: Part | None


class Document:
    """What both kinds of template have, read once for all rules: metadata, parameters, containers."""

    def __init__(self, document: Json) -> None:
        self.document = document

    @cached_property
    def metadata(self) -> Json:
        """`metadata`, empty when absent."""
        return self.document.get("metadata") or {}

    @cached_property
    def spec(self) -> Json:
        """`spec`, empty when absent."""
        return self.document.get("spec") or {}

    @cached_property
    def labels(self) -> Json:
        """Labels of the template itself."""
        return self.metadata.get("labels") or {}

    @cached_property
    def annotations(self) -> Json:
        """Annotations of the template itself."""
        return self.metadata.get("annotations") or {}

    @cached_property
    def parameters(self) -> list[Part]:
        """The parameters that a configuration binds."""
        return listed(self.spec.get(self._arguments) or {}, ("spec", self._arguments), "parameters")

    _arguments = "arguments"

    @cached_property
    def containers(self) -> list[Part]:
        """Every container of the document."""
        raise TypeError("a document of no kind has no containers")

    @cached_property
    def pull_secrets(self) -> list[Part]:
        """`imagePullSecrets`."""
        return listed(self.spec, ("spec",), "imagePullSecrets")

    @cached_property
    def pods(self) -> list[Part]:
        """Where a pod's security context and its links to the host may stand."""
        return [Part(("spec",), self.spec)]

    @cached_property
    def inner_labels(self) -> list[Part]:
        """Label mappings of pods."""
        return []


class View(Document):
    """A document that already fits the schema of a WorkflowTemplate."""

    @cached_property
    def templates(self) -> list[Part]:
        """The templates, each with what `templateDefaults` gives it."""
        own = listed(self.spec, ("spec",), "templates")
        defaults = self.spec.get("templateDefaults")
        return [Part(part.where, _over(defaults, part.value)) for part in own] if defaults else own

    @cached_property
    def inline(self) -> list[Part]:
        """Templates that stand in the step or task that calls them."""
        return [
            Part((*call.where, "inline"), call.value["inline"])
            for calls in self.calls
            for call in calls
            if call.value.get("inline")
        ]

    @cached_property
    def template_names(self) -> list[str]:
        """Names of the templates."""
        return [template.name for template in self.templates]

    @cached_property
    def calls(self) -> list[list[Part]]:
        """Steps and DAG tasks of each template."""
        return [list(_calls(template)) for template in self.templates]

    @cached_property
    def called(self) -> set[str]:
        """Names of the templates that a step, a task, a hook or the workflow itself calls."""
        hooks = [self.spec.get("hooks")]
        names = {self.spec.get("entrypoint"), self.spec.get("onExit")}
        for calls in self.calls:
            for call in calls:
                names |= {call.value.get("template"), call.value.get("onExit")}
                hooks.append(call.value.get("hooks"))
        names |= {hook.get("template") for group in hooks if group for hook in group.values()}
        return {name for name in names if name}

    @cached_property
    def containers_of(self) -> list[list[Part]]:
        """Containers of each template: the main one, sets, sidecars, init containers and scripts."""
        return [list(_containers(template)) for template in self.templates]

    @cached_property
    def containers(self) -> list[Part]:
        own = [part for parts in self.containers_of for part in parts]
        return [*own, *(part for template in self.inline for part in _containers(template))]

    @cached_property
    def pods(self) -> list[Part]:
        return [Part(("spec",), self.spec), *self.templates, *self.inline]

    @cached_property
    def inner_labels(self) -> list[Part]:
        return [
            Part((*template.where, "metadata", "labels"), labels)
            for template in self.templates
            if (labels := (template.value.get("metadata") or {}).get("labels"))
        ]

    @cached_property
    def inputs(self) -> list[list[Part]]:
        """Input artifacts of each template."""
        return [ports(template, "inputs", "artifacts") for template in self.templates]

    @cached_property
    def outputs(self) -> list[list[Part]]:
        """Output artifacts of each template."""
        return [ports(template, "outputs", "artifacts") for template in self.templates]

    @cached_property
    def supplied(self) -> set[tuple[str, str]]:
        """Pairs (template, artifact) that a step or task hands over: no inputs from outside."""
        return {
            (str(call.value.get("template")), artifact.name)
            for calls in self.calls
            for call in calls
            for artifact in listed(call.value.get("arguments") or {}, (), "artifacts")
        }

    @cached_property
    def texts(self) -> list[Text]:
        """Every text of the spec that holds `{{`."""
        rest = {key: value for key, value in self.spec.items() if key != "templates"}
        found = [Text(where, text, None) for where, text in templated(rest, ("spec",))]
        for template in self.templates:
            found += [
                Text(where, text, template) for where, text in templated(dict(template.value), template.where)
            ]
        return found


def _over(defaults: Json, template: Json) -> Json:
    """Argo's merge of `templateDefaults`: what a template says itself stays, and its type stays its own."""
    merged = {key: value for key, value in defaults.items() if key not in TYPES or key in template}
    for key, value in template.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _over(below, value) if both and below is not None else value
    return merged


def _calls(template: Part) -> Iterator[Part]:
    for row, group in enumerate(template.value.get("steps") or []):
        for column, step in enumerate(group):
            yield Part((*template.where, "steps", row, column), step)
    yield from listed(template.value.get("dag") or {}, (*template.where, "dag"), "tasks")


def _containers(template: Part) -> Iterator[Part]:
    for key in ("container", "script"):
        if template.value.get(key):
            yield Part((*template.where, key), template.value[key])
    group = template.value.get("containerSet") or {}
    yield from listed(group, (*template.where, "containerSet"), "containers")
    for key in ("sidecars", "initContainers"):
        yield from listed(template.value, template.where, key)


def ports(template: Part, side: str, kind: str) -> list[Part]:
    """`inputs` or `outputs` of a template: its `artifacts` or `parameters`."""
    return listed(template.value.get(side) or {}, (*template.where, side), kind)


def listed(parent: Json, where: Path, key: str) -> list[Part]:
    """The mappings in a list, each with its path."""
    items = parent.get(key) or []
    return [Part((*where, key, index), item) for index, item in enumerate(items) if isinstance(item, Mapping)]


def repeated(parts: Iterable[Part], key: str = "name") -> Iterator[Part]:
    """Parts whose name an earlier part already bears."""
    seen: set[object] = set()
    for part in parts:
        name = part.value.get(key)
        if name in seen:
            yield part
        seen.add(name)


def templated(value: dict[str, Any] | list[Any], where: Path) -> list[tuple[Path, str]]:
    """Every text below a value that holds `{{`, with its path."""
    found: list[tuple[Path, str]] = []
    _collect(value, where, found)
    return found


def _collect(value: dict[str, Any] | list[Any], where: Path, found: list[tuple[Path, str]]) -> None:
    items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, str):
            if "{{" in item:
                found.append(((*where, key), item))
        elif isinstance(item, dict | list):
            _collect(item, (*where, key), found)


Rule = Callable[[View], Iterator[Finding]]
DocumentRule = Callable[[Document], Iterator[Finding]]
