"""The content catalogue: a workflow is a folder, and adding one touches no Python.

A folder holds `workflow.yaml` (name, parameters, artifacts), `template.yaml.j2` (the WorkflowTemplate or
ServingTemplate), and, where the image is built here, `Dockerfile.j2` and `requirements.txt.j2`. Texts may
`<% include "NAME" %>` those in the catalogue's folder `_shared`, and in the built-in one. Everything is read
here, once, so that rendering stays free of I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from jinja2 import TemplateSyntaxError
from pydantic import Field, StrictBool, field_validator

from generator.errors import Diagnostic, InputError
from generator.spec.model import ArtifactKind, SpecModel
from generator.spec.parameters import Parameter, ParameterType, UnfitValueError, canonical
from generator.spec.parse import parse
from generator.spec.reader import Source, read
from generator.spec.types import Line, ObjectName, Text
from generator.templating import check_syntax

__all__ = ["ArtifactPort", "Parameter", "ParameterType", "Workflow", "load_catalog"]

BUILT_IN = Path(__file__).parent / "catalog"
SHARED = "_shared"
TEMPLATE, DOCKERFILE, REQUIREMENTS = "template.yaml.j2", "Dockerfile.j2", "requirements.txt.j2"
WorkflowKind = Literal["training", "batch", "serving"]


class ArtifactPort(SpecModel):
    """An input or output artifact of a workflow."""

    path: Line
    """Folder inside the container."""
    kind: ArtifactKind
    """Kind of the AI Core artifact."""
    description: Text = ""
    """What it holds."""
    required: StrictBool = True
    """Inputs: whether every configuration must bind it."""


class WorkflowMetadata(SpecModel):
    """Who the workflow is."""

    name: ObjectName
    """Name in specs; the name of its folder too."""
    title: Line
    """Name for people."""
    description: Text
    """What it does."""


class WorkflowDocument(SpecModel):
    """`workflow.yaml` as written."""

    api_version: Literal["corespec/v1"]
    """Version of the catalogue's language."""
    kind: Literal["Workflow"]
    """Kind of document."""
    metadata: WorkflowMetadata
    """Who the workflow is."""
    type: WorkflowKind = "training"
    """`training` and `batch` are run by executions, `serving` by deployments."""
    parameters: Mapping[str, Parameter] = Field(default_factory=dict)
    """Parameters by name."""
    inputs: Mapping[str, ArtifactPort] = Field(default_factory=dict)
    """Input artifacts by name."""
    outputs: Mapping[str, ArtifactPort] = Field(default_factory=dict)
    """Output artifacts by global name."""
    check: tuple[Line, ...] | None = None
    """Arguments after the Python interpreter that check a dataset."""

    @field_validator("parameters", mode="before")
    @classmethod
    def _name_parameters(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: {**fields, "name": name} if isinstance(fields, dict) else fields
            for name, fields in value.items()
        }


class Workflow(SpecModel):
    """One workflow of the catalogue, its template texts included."""

    name: ObjectName
    """Name in specs (`workflow: …`)."""
    title: Line
    """Name for people."""
    description: Text
    """What it does."""
    kind: WorkflowKind
    """`training` and `batch` are run by executions, `serving` by deployments."""
    parameters: Mapping[str, Parameter]
    """Parameters by name, in the order of `workflow.yaml`."""
    inputs: Mapping[str, ArtifactPort]
    """Input artifacts by name."""
    outputs: Mapping[str, ArtifactPort]
    """Output artifacts by global name."""
    check: tuple[str, ...] | None
    """Arguments after the Python interpreter that check a dataset before anything is created (`-m trainer
    check …`); the caller adds `--<input> FOLDER`, `--set name=value` and `-o json`."""
    texts: Mapping[str, str] = Field(repr=False)
    """Jinja texts by file name: `template.yaml.j2` and, where the image is built here, `Dockerfile.j2` and
    `requirements.txt.j2`."""
    shared: Mapping[str, str] = Field(default_factory=dict, repr=False)
    """Jinja texts that these may include, by name."""

    @property
    def template_kind(self) -> Literal["WorkflowTemplate", "ServingTemplate"]:
        """Kind of the document that `template.yaml.j2` gives."""
        return "ServingTemplate" if self.kind == "serving" else "WorkflowTemplate"

    @property
    def builds_image(self) -> bool:
        """Whether the folder holds the recipe of the image; otherwise somebody else builds it."""
        return DOCKERFILE in self.texts


def load_catalog(extra: Sequence[Path] = ()) -> Mapping[str, Workflow]:
    """The built-in workflows and those in the `extra` folders (each a folder of workflow folders), by name.

    A name that is already taken is an error: nobody shall run another workflow than the one that was
    reviewed. Raises InputError with the findings of all folders.
    """
    built_in = _built_in()
    if not extra:
        return built_in
    workflows, diagnostics = dict(built_in), list[Diagnostic]()
    for root in extra:
        found, problems = _load_folder(root)
        diagnostics += problems
        for name, workflow in found.items():
            if name in workflows:
                where = (root / name / "workflow.yaml").as_posix()
                diagnostics.append(
                    Diagnostic(
                        where, 1, 1, "duplicate-name", f"the catalogue already has a workflow `{name}`"
                    )
                )
            workflows[name] = workflow
    if diagnostics:
        raise InputError(diagnostics)
    return MappingProxyType(workflows)


@lru_cache(maxsize=1)
def _built_in() -> Mapping[str, Workflow]:
    workflows, diagnostics = _load_folder(BUILT_IN)
    if diagnostics:
        raise InputError(diagnostics)
    return MappingProxyType(workflows)


def _load_folder(root: Path) -> tuple[dict[str, Workflow], list[Diagnostic]]:
    workflows: dict[str, Workflow] = {}
    diagnostics: list[Diagnostic] = []
    found = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    folders = [path for path in found if not path.name.startswith(("_", "."))]
    if not folders:
        message = "no workflow folder here; a catalogue folder holds one folder for each workflow"
        diagnostics.append(Diagnostic(root.as_posix(), 1, 1, "empty-catalog", message))
    shared, problems = _shared(root)
    diagnostics += problems
    for folder in folders:
        workflow, problems = load_workflow(folder, shared)
        diagnostics += problems
        if workflow:
            workflows[workflow.name] = workflow
    return workflows, diagnostics


def _shared(root: Path) -> tuple[dict[str, str], list[Diagnostic]]:
    """Texts to include: the built-in ones, and before them those of the folder."""
    texts: dict[str, str] = {}
    diagnostics: list[Diagnostic] = []
    for folder in dict.fromkeys((BUILT_IN / SHARED, root / SHARED)):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            text, problem = _text(path)
            texts[path.relative_to(folder).as_posix()] = text
            diagnostics += [problem] if problem else []
    return texts, diagnostics


def load_workflow(
    folder: Path, shared: Mapping[str, str] | None = None
) -> tuple[Workflow | None, list[Diagnostic]]:
    """Read one workflow folder; None with the reasons when it cannot be used.

    `shared`: texts that those of the folder may include, by name.
    """
    texts, diagnostics = _texts(folder)
    try:
        source = read((folder / "workflow.yaml").as_posix(), (folder / "workflow.yaml").read_bytes())
    except OSError as error:
        message = f"cannot be read ({error.strerror}); every workflow folder needs it"
        return None, [
            *diagnostics,
            Diagnostic((folder / "workflow.yaml").as_posix(), 1, 1, "missing-file", message),
        ]
    parsed = parse(source, WorkflowDocument)
    diagnostics += parsed.diagnostics
    if parsed.model:
        diagnostics += _check(parsed.model, source, folder)
    if diagnostics or not parsed.model:
        return None, diagnostics
    document = parsed.model
    return Workflow(
        name=document.metadata.name,
        title=document.metadata.title,
        description=document.metadata.description,
        kind=document.type,
        parameters=document.parameters,
        inputs=document.inputs,
        outputs=document.outputs,
        check=document.check,
        texts=texts,
        shared=shared or {},
    ), []


def _texts(folder: Path) -> tuple[dict[str, str], list[Diagnostic]]:
    """The template, and the recipe of the image where there is one: both of its files or neither."""
    recipe = [name for name in (DOCKERFILE, REQUIREMENTS) if (folder / name).exists()]
    texts: dict[str, str] = {}
    diagnostics: list[Diagnostic] = []
    for name in (TEMPLATE, *((DOCKERFILE, REQUIREMENTS) if recipe else ())):
        texts[name], problem = _text(folder / name)
        diagnostics += [problem] if problem else []
    return texts, diagnostics


def _text(path: Path) -> tuple[str, Diagnostic | None]:
    """A Jinja text, or why it cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
        check_syntax(text)
    except OSError as error:
        message = f"cannot be read ({error.strerror}); every workflow folder needs it"
        return "", Diagnostic(path.as_posix(), 1, 1, "missing-file", message)
    except UnicodeDecodeError:
        message = "the file is not UTF-8 text; save it as UTF-8"
        return "", Diagnostic(path.as_posix(), 1, 1, "not-utf8", message)
    except TemplateSyntaxError as error:
        return "", Diagnostic(
            path.as_posix(), error.lineno, 1, "template-syntax", error.message or "not Jinja"
        )
    return text, None


def _check(document: WorkflowDocument, source: Source, folder: Path) -> list[Diagnostic]:
    """What the model alone cannot see: defaults must obey their own rules, the folder must bear the name."""
    diagnostics: list[Diagnostic] = []
    for name, parameter in document.parameters.items():
        try:
            canonical(parameter, parameter.default)
        except UnfitValueError as problem:
            position = source.positions.of(("parameters", name, "default"))
            message = f"parameters.{name}.default: {problem}"
            diagnostics.append(Diagnostic(source.path, *position, problem.code, message))
    if document.metadata.name != folder.name:
        position = source.positions.of(("metadata", "name"))
        message = f"metadata.name: the folder is called `{folder.name}`; give both the same name"
        diagnostics.append(Diagnostic(source.path, *position, "folder-name", message))
    return diagnostics
