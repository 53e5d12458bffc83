"""Containers: what AI Core and its admission control accept (SAP docs, workflow templates, Kubernetes
security). Most rules hold for both kinds of template."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.linting.view import Document, DocumentRule, Finding, Json, Rule, View, listed, repeated
from generator.spec.reader import Path
from generator.spec.types import KNOWN_PLANS, image_problem
from generator.suggest import did_you_mean

_SHELL = ["/bin/sh", "-c"]
_NOBODY = 65534
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_SECRET = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_PLAN, _INSTANCE = "ai.sap.com/resourcePlan", "ai.sap.com/instanceType"
_IMAGE_CODES = {"image_host": "image-host", "image_reference": "image-reference"}


def commands(view: View) -> Iterator[Finding]:
    """AI Core ignores ENTRYPOINT and CMD of the image: a container runs one line of `/bin/sh -c`."""
    for part in view.containers:
        if "source" in part.value:
            continue
        command, arguments = part.value.get("command"), part.value.get("args")
        if command != _SHELL or not isinstance(arguments, list) or len(arguments) != 1 or not arguments[0]:
            message = 'needs `command: ["/bin/sh", "-c"]` and one line in `args`'
            yield Finding(part.where, "container-command", message)


def images(view: Document) -> Iterator[Finding]:
    """Images name their registry, are pinned, and are pulled by a policy and with a secret that can exist."""
    for part in view.containers:
        image = str(part.value.get("image") or "")
        problem = image_problem(image)
        if "{{" in image:
            message = "a parameter chooses the image; what runs is no longer what was reviewed"
            yield Finding((*part.where, "image"), "image-pinned", message)
        elif problem:
            yield Finding((*part.where, "image"), _IMAGE_CODES.get(problem[0], "image-pinned"), problem[1])
        policy = part.value.get("imagePullPolicy")
        if policy is not None and policy not in _PULL_POLICIES:
            message = did_you_mean(str(policy), _PULL_POLICIES)
            yield Finding((*part.where, "imagePullPolicy"), "pull-policy", message)
    for part in view.pull_secrets:
        if not _SECRET.fullmatch(part.name) and "{{" not in part.name:
            message = "must name a docker registry secret: 1 to 63 lower-case letters, digits, hyphens, dots"
            yield Finding((*part.where, "name"), "pull-secret", message)


def machines(view: View) -> Iterator[Finding]:
    """The machine size is a label of the template that holds the container; elsewhere AI Core ignores it."""
    for where, labels in _misplaced(view):
        for key in (_PLAN, _INSTANCE):
            if key in labels:
                message = "AI Core reads it only from `metadata.labels` of the template with the container"
                yield Finding((*where, key), "resource-plan", message)
    for template, containers in zip(view.templates, view.containers_of, strict=True):
        if containers:
            labels = (template.value.get("metadata") or {}).get("labels") or {}
            yield from machine(labels, (*template.where, "metadata", "labels"))


def machine(labels: Json, where: Path) -> Iterator[Finding]:
    """One plan that exists, or an instance type."""
    if (_PLAN in labels) == (_INSTANCE in labels):
        yield Finding(where, "resource-plan", f"needs exactly one of `{_PLAN}` and `{_INSTANCE}`")
    plan = str(labels.get(_PLAN, KNOWN_PLANS[0]))
    if plan not in KNOWN_PLANS and "{{" not in plan:
        yield Finding((*where, _PLAN), "resource-plan", f"is no plan; {did_you_mean(plan, KNOWN_PLANS)}")


def _misplaced(view: View) -> Iterator[tuple[Path, Json]]:
    yield ("metadata", "labels"), view.labels
    for field in ("podMetadata", "workflowMetadata"):
        yield ("spec", field, "labels"), (view.spec.get(field) or {}).get("labels") or {}


def security(view: Document) -> Iterator[Finding]:
    """Pods run as nobody and may not become more; AI Core rejects others."""
    for part in (*view.pods, *view.containers):
        context = part.value.get("securityContext")
        if context:
            for message in _escapes(context):
                yield Finding((*part.where, "securityContext"), "security-context", message)
    for part in view.pods:
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if part.value.get(field):
                message = "pods do not share the host; remove it"
                yield Finding((*part.where, field), "security-context", message)


def _escapes(context: Json) -> Iterator[str]:
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        if context.get(field) not in (None, _NOBODY):
            yield f"`{field}` must be {_NOBODY} (nobody)"
    if context.get("runAsNonRoot") is False:
        yield "`runAsNonRoot` must not be false"
    if context.get("privileged") or context.get("allowPrivilegeEscalation"):
        yield "`privileged` and `allowPrivilegeEscalation` must not be true"
    capabilities = context.get("capabilities") or {}
    if capabilities.get("add"):
        yield "`capabilities.add` must be empty"
    if [str(item).lower() for item in capabilities.get("drop") or ["all"]] != ["all"]:
        yield "`capabilities.drop` must be exactly `all`"


def several(view: View) -> Iterator[Finding]:
    """With several containers one is `main`; logs show only others whose name begins with `readable-`."""
    for template in view.templates:
        sidecars = listed(template.value, template.where, "sidecars")
        group = listed(
            template.value.get("containerSet") or {}, (*template.where, "containerSet"), "containers"
        )
        if group and not any(part.name == "main" for part in group):
            where = (*template.where, "containerSet")
            yield Finding(where, "main-container", "one container must be named `main`")
        for part in repeated([*sidecars, *group, *listed(template.value, template.where, "initContainers")]):
            message = f"there already is a container `{part.name}`"
            yield Finding((*part.where, "name"), "duplicate-container", message)
        for part in [*sidecars, *(item for item in group if item.name != "main")]:
            if not part.name.startswith("readable-"):
                message = "begin the name with `readable-`, or its log stays invisible"
                yield Finding((*part.where, "name"), "container-name", message)


DOCUMENT_RULES: tuple[DocumentRule, ...] = (images, security)
RULES: tuple[Rule, ...] = (commands, machines, several)
