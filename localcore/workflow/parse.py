"""From a WorkflowTemplate's `spec` to records; pure.

What is not supported is refused by name, never skipped.
"""

from __future__ import annotations

from typing import Any

from localcore.workflow import calls, containers
from localcore.workflow.errors import WorkflowError
from localcore.workflow.fields import known, mapping, mappings, name, seconds, text, whole, words
from localcore.workflow.model import Artifact, OutputParameter, Retry, Template, Workflow
from localcore.workflow.retry import POLICIES

_SPEC = words(
    "entrypoint arguments templates imagePullSecrets activeDeadlineSeconds parallelism"
    " serviceAccountName volumes volumeClaimTemplates podGC ttlStrategy workflowMetadata podMetadata"
    " labels annotations nodeSelector tolerations affinity securityContext archiveLogs priority"
    " automountServiceAccountToken"
)
# Fields of a template that tell a cluster where and how to run a pod: without meaning on one machine.
_PLACEMENT = words(
    "metadata nodeSelector tolerations affinity securityContext serviceAccountName"
    " automountServiceAccountToken priority priorityClassName schedulerName hostAliases podSpecPatch"
    " archiveLocation executor"
)
_TEMPLATE = _PLACEMENT | words(
    "name inputs outputs container script steps dag retryStrategy activeDeadlineSeconds volumes"
    " failFast parallelism"
)


def _archive(found: dict[str, Any], where: str) -> bool:
    archive = mapping(found.get("archive"), f"{where}.archive")
    known(archive, frozenset({"none", "tar"}), f"{where}.archive")
    return "none" not in archive


def _artifact(found: dict[str, Any], where: str) -> Artifact:
    label = name(found, where)
    where = f"{where}.{label}"
    known(
        found,
        frozenset({"name", "path", "optional", "archive", "globalName", "mode", "recurseMode", "from"}),
        where,
    )
    path = text(found.get("path", ""), f"{where}.path")
    if path and not path.startswith("/"):
        raise WorkflowError(f"{where}.path: {path!r} must be absolute")
    return Artifact(
        name=label,
        path=path.rstrip("/"),
        optional=bool(found.get("optional", False)),
        archive=_archive(found, where),
        global_name=text(found.get("globalName", ""), f"{where}.globalName"),
    )


def _inputs(found: dict[str, Any], where: str) -> tuple[tuple[str, str | None], ...]:
    result = []
    for parameter in mappings(found.get("parameters"), f"{where}.parameters"):
        label = name(parameter, f"{where}.parameters")
        known(
            parameter,
            frozenset({"name", "value", "default", "description", "enum"}),
            f"{where}.parameters.{label}",
        )
        value = parameter.get("value", parameter.get("default"))
        result.append((label, None if value is None else text(value, f"{where}.parameters.{label}")))
    return tuple(result)


def _output_parameters(found: dict[str, Any], where: str) -> tuple[OutputParameter, ...]:
    result = []
    for parameter in mappings(found.get("parameters"), f"{where}.parameters"):
        label = name(parameter, f"{where}.parameters")
        here = f"{where}.parameters.{label}"
        known(parameter, frozenset({"name", "valueFrom", "globalName", "description"}), here)
        source = mapping(parameter.get("valueFrom"), f"{here}.valueFrom")
        known(source, frozenset({"path", "default", "parameter"}), f"{here}.valueFrom")
        if not {"path", "parameter"} & set(source):
            raise WorkflowError(f"{here}.valueFrom: path or parameter is missing")
        result.append(
            OutputParameter(
                name=label,
                path=text(source.get("path", ""), here),
                default=None if source.get("default") is None else text(source["default"], here),
                expression=source.get("parameter"),
                global_name=text(parameter.get("globalName", ""), here),
            )
        )
    return tuple(result)


def _retry(value: Any, where: str) -> Retry | None:
    if value is None:
        return None
    found = mapping(value, where)
    known(found, frozenset({"limit", "retryPolicy", "backoff"}), where)
    policy = text(found.get("retryPolicy") or POLICIES[0], f"{where}.retryPolicy")
    if policy not in POLICIES:
        raise WorkflowError(f"{where}.retryPolicy: {policy!r} is none of {', '.join(POLICIES)}")
    backoff = mapping(found.get("backoff"), f"{where}.backoff")
    known(backoff, frozenset({"duration", "factor", "maxDuration"}), f"{where}.backoff")
    pause = seconds(backoff.get("duration"), f"{where}.backoff.duration")
    if found.get("backoff") is not None and pause is None:
        raise WorkflowError(f"{where}.backoff.duration is missing")
    return Retry(
        limit=None if found.get("limit") is None else whole(found["limit"], f"{where}.limit"),
        policy=policy,
        pause=pause or 0.0,
        factor=whole(backoff.get("factor") or 1, f"{where}.backoff.factor") or 1,
        longest=seconds(backoff.get("maxDuration"), f"{where}.backoff.maxDuration"),
    )


def _deadline(found: dict[str, Any], leaf: bool, where: str) -> float | None:
    """Argo limits pods by it; on steps and DAGs it has no effect there, so it is refused here."""
    deadline = seconds(found.get("activeDeadlineSeconds"), f"{where}: activeDeadlineSeconds")
    if deadline is not None and not leaf:
        raise WorkflowError(
            f"{where}: activeDeadlineSeconds has an effect on container and script templates only;"
            " spec.activeDeadlineSeconds limits the whole workflow"
        )
    return deadline


def _template(found: dict[str, Any], volumes: dict[str, bool]) -> Template:
    label = name(found, "spec.templates")
    where = f"template {label}"
    known(found, _TEMPLATE, where)
    bodies = sorted({"container", "script", "steps", "dag"} & set(found))
    if len(bodies) != 1:
        raise WorkflowError(
            f"{where}: exactly one of container, script, steps and dag is needed, found {bodies or 'none'}"
        )
    inputs = mapping(found.get("inputs"), f"{where}: inputs")
    outputs = mapping(found.get("outputs"), f"{where}: outputs")
    raw_outputs = mappings(outputs.get("artifacts"), f"{where}: outputs.artifacts")
    own = containers.volume_kinds(found, where)
    dag = mapping(found.get("dag"), f"{where}: dag")
    leaf = bodies[0] in ("container", "script")
    artifacts = tuple(_artifact(item, f"{where}: outputs.artifacts") for item in raw_outputs)
    if leaf and any(not artifact.path for artifact in artifacts):
        raise WorkflowError(f"{where}: an output artifact has no path")
    return Template(
        name=label,
        inputs=_inputs(inputs, f"{where}: inputs"),
        input_artifacts=tuple(
            _artifact(item, f"{where}: inputs.artifacts")
            for item in mappings(inputs.get("artifacts"), f"{where}: inputs.artifacts")
        ),
        output_parameters=_output_parameters(outputs, f"{where}: outputs"),
        output_artifacts=artifacts if leaf else (),
        output_sources=()
        if leaf
        else tuple(
            (a.name, text(raw.get("from", ""), where), a.global_name)
            for a, raw in zip(artifacts, raw_outputs, strict=True)
        ),
        container=containers.parse(found[bodies[0]], where, bodies[0], volumes | own) if leaf else None,
        steps=calls.steps(found["steps"], where) if "steps" in found else None,
        tasks=calls.tasks(dag, where) if "dag" in found else None,
        fail_fast=bool(dag.get("failFast", True)),
        retry=_retry(found.get("retryStrategy"), f"{where}: retryStrategy"),
        deadline=_deadline(found, leaf, where),
    )


def _check_references(workflow: Workflow) -> None:
    """Every called template exists, and no template calls itself by any way."""
    open_templates: list[str] = []
    done: set[str] = set()

    def visit(label: str) -> None:
        if label in open_templates:
            raise WorkflowError(f"template {label} calls itself: {' -> '.join([*open_templates, label])}")
        if label in done:
            return
        if label not in workflow.templates:
            caller = f"template {open_templates[-1]}" if open_templates else "spec.entrypoint"
            raise WorkflowError(f"{caller} names template {label}, which does not exist")
        open_templates.append(label)
        template = workflow.templates[label]
        for call in [*(call for group in template.steps or () for call in group), *(template.tasks or ())]:
            visit(call.template)
        done.add(open_templates.pop())

    visit(workflow.entrypoint)


def parse(document: dict[str, Any]) -> Workflow:
    """Read a WorkflowTemplate. Raises WorkflowError naming the template and field."""
    spec = mapping(document.get("spec"), "spec")
    known(spec, _SPEC, "spec")
    volumes = containers.volume_kinds(spec, "spec")
    arguments = mapping(spec.get("arguments"), "spec.arguments")
    known(arguments, frozenset({"parameters", "artifacts"}), "spec.arguments")
    templates: dict[str, Template] = {}
    for found in mappings(spec.get("templates"), "spec.templates"):
        template = _template(found, volumes)
        if template.name in templates:
            raise WorkflowError(f"template {template.name} occurs twice")
        templates[template.name] = template
    parallelism = spec.get("parallelism")
    workflow = Workflow(
        name=name(mapping(document.get("metadata"), "metadata"), "metadata"),
        entrypoint=text(spec.get("entrypoint", ""), "spec.entrypoint"),
        templates=templates,
        parameters=dict(_inputs(arguments, "spec.arguments")),
        deadline=seconds(spec.get("activeDeadlineSeconds"), "spec.activeDeadlineSeconds"),
        parallelism=parallelism if isinstance(parallelism, int) and parallelism > 0 else None,
    )
    _check_references(workflow)
    return workflow
