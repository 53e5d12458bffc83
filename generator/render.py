"""Resolved specs become files: WorkflowTemplates, image recipes and a manifest.

Pure: the same specs give the same bytes on any machine, clock, locale or order; no network, no credentials.
Every template passes hera's models with unknown fields forbidden, and our own lint, before it leaves this
module.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import yaml

from generator import mold
from generator.context import fill_chunks, header
from generator.emit import emit
from generator.errors import Diagnostic, InputError
from generator.fingerprint import digest, template_fingerprint
from generator.images import image_files
from generator.spec.resolve import Resolved, ResolvedExecutable
from generator.version import TOOL, tool_version

__all__ = ["render", "template_path"]

MANIFEST_FORMAT = 1


class Passed(Protocol):
    """Templates that this very lint has passed before: see `generator.lintcache`."""

    def __contains__(self, document: Mapping[str, Any]) -> bool: ...

    def add(self, document: Mapping[str, Any]) -> None: ...


def rendered_folder(environment: str) -> str:
    """Folder of everything rendered for an environment, relative to the project root."""
    return f"rendered/{environment}"


def template_path(environment: str, executable: str) -> str:
    """Path of an executable's WorkflowTemplate, relative to the project root."""
    return f"{rendered_folder(environment)}/templates/{executable}.yaml"


def image_path(environment: str, executable: str) -> str:
    """Folder of an executable's Dockerfile and requirements.txt, relative to the project root."""
    return f"{rendered_folder(environment)}/images/{executable}"


def manifest_path(environment: str) -> str:
    """Path of the manifest, relative to the project root."""
    return f"{rendered_folder(environment)}/manifest.json"


def render(
    resolved: Resolved, rendered: Callable[[], None] | None = None, passed: Passed | None = None
) -> dict[str, bytes]:
    """All files of one environment: path relative to the project root -> content, sorted by path.

    `rendered` is called for each executable: thousands of them take seconds. A template among those in
    `passed` is not linted once more. Raises InputError with the findings of every template that a
    catalogue's text made wrong.
    """
    environment = resolved.environment.metadata.name
    files: dict[str, bytes] = {}
    fingerprints: dict[str, str] = {}
    diagnostics: list[Diagnostic] = []
    for executable in resolved.executables:
        path = template_path(environment, executable.id)
        if rendered is not None:
            rendered()
        try:
            document = build_template(executable, path, passed)
            if executable.workflow.builds_image:
                files |= image_files(executable, image_path(environment, executable.id))
        except InputError as error:
            diagnostics += error.diagnostics
            continue
        files[path] = (header(executable.source) + emit(document)).encode("utf-8")
        fingerprints[path] = template_fingerprint(document)
    if diagnostics:
        raise InputError(diagnostics)
    files[manifest_path(environment)] = _manifest(resolved, files, fingerprints)
    return dict(sorted(files.items()))


def build_template(executable: ResolvedExecutable, path: str, passed: Passed | None = None) -> dict[str, Any]:
    """The template of one executable, checked. `path` stands in the findings of an InputError."""
    chunks = fill_chunks(executable, "template.yaml.j2", path)
    try:
        document = mold.load(chunks)
    except yaml.YAMLError as error:
        message = f"template.yaml.j2 of workflow `{executable.workflow.name}` gives no YAML: {error}"
        raise InputError([Diagnostic(path, 1, 1, "template-syntax", message)]) from None
    if passed is None or document not in passed:
        _check(document, path)
        if passed is not None:
            passed.add(document)
    return _tidy(dict(document))


def _check(document: Any, path: str) -> None:
    from generator.lint import errors, lint  # all its rules: a template that has passed before needs none

    findings = errors(lint(document, path, strict=True))
    if findings:
        raise InputError(findings)


def _tidy(document: dict[str, Any]) -> dict[str, Any]:
    """A ServingTemplate with the YAML inside its texts written as all other YAML here; WorkflowTemplates have
    no such texts."""
    if document["kind"] != "ServingTemplate":
        return document
    template = document["spec"]["template"]
    tidied = {**template, "spec": _rewritten(template["spec"])}
    if isinstance(template.get("metadata"), dict):
        tidied["metadata"] = {key: _rewritten(text) for key, text in template["metadata"].items()}
    return {**document, "spec": {**document["spec"], "template": tidied}}


def _rewritten(text: Any) -> Any:
    """The same text in our spelling; one that is YAML only after AI Core has filled it stays as it is."""
    if not isinstance(text, str):
        return text
    try:
        content = mold.read(text)
    except yaml.YAMLError:
        return text
    return emit(content) if isinstance(content, dict) else text


def _manifest(resolved: Resolved, files: Mapping[str, bytes], fingerprints: Mapping[str, str]) -> bytes:
    """Digests of what went in and what came out.

    Only what templates depend on goes in, as data and not as text: changing a learning rate, a comment or the
    order of keys changes no file under `rendered/`.
    """
    content = {
        "format_version": MANIFEST_FORMAT,
        "tool": {"name": TOOL, "version": tool_version()},
        "environment": resolved.environment.metadata.name,
        "inputs": _input_digests(resolved),
        "templates": dict(sorted(fingerprints.items())),
        "files": {path: hashlib.sha256(files[path]).hexdigest() for path in sorted(files)},
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _input_digests(resolved: Resolved) -> dict[str, str]:
    sources: dict[str, dict[str, Any]] = {}
    for item in resolved.executables:
        metadata = item.scenario.metadata.model_dump(mode="json", by_alias=True)
        source = sources.setdefault(item.source, {"metadata": metadata, "executables": {}})
        spec = item.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        source["executables"][item.id] = {**spec, "image": item.image, "base": item.base_image}
    return {path: digest("spec", value) for path, value in sorted(sources.items())}
