"""Containers: what AI Core and its admission control accept (SAP docs, workflow templates, Kubernetes
security)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.linting.view import Finding, Json, Part, View, listed, repeated
from generator.spec.reader import Path
from generator.spec.types import KNOWN_PLANS, image_problem
from generator.suggest import did_you_mean

_SHELL = ["/bin/sh", "-c"]
_NOBODY = 65534
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_SECRET_NAME = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIAL)", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|://[^/\s:@]+:[^/\s@]+@")
_PLAN, _INSTANCE = "ai.sap.com/resourcePlan", "ai.sap.com/instanceType"


def commands(view: View) -> Iterator[Finding]:
    """AI Core ignores ENTRYPOINT and CMD of the image: a container runs one line of `/bin/sh -c`."""
    for part in _containers(view):
        command, arguments = part.value.get("command"), part.value.get("args")
        if command != _SHELL or not isinstance(arguments, list) or len(arguments) != 1:
            message = 'needs `command: ["/bin/sh", "-c"]` and one line in `args`'
            yield Finding(part.where, "container-command", message)


def images(view: View) -> Iterator[Finding]:
    """Images are pinned, name their registry, and are pulled by a policy that exists."""
    for part in _containers(view):
        problem = image_problem(str(part.value.get("image") or ""))
        if problem:
            yield Finding((*part.where, "image"), "image-pinned", problem[1])
        policy = part.value.get("imagePullPolicy")
        if policy is not None and policy not in _PULL_POLICIES:
            message = did_you_mean(str(policy), _PULL_POLICIES)
            yield Finding((*part.where, "imagePullPolicy"), "pull-policy", message)
    for part in listed(view.spec, ("spec",), "imagePullSecrets"):
        if not re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?", str(part.value.get("name") or "")):
            message = "must name a docker registry secret: 1 to 63 lower-case letters, digits, hyphens, dots"
            yield Finding((*part.where, "name"), "pull-secret", message)


def machines(view: View) -> Iterator[Finding]:
    """The machine size is a label of the template that holds the container; elsewhere AI Core ignores it."""
    for where, labels in _misplaced(view):
        for key in (_PLAN, _INSTANCE):
            if key in labels:
                message = "AI Core reads it only from `metadata.labels` of the template with the container"
                yield Finding((*where, key), "resource-plan", message)
    for template in view.templates:
        labels = (template.value.get("metadata") or {}).get("labels") or {}
        where = (*template.where, "metadata", "labels")
        if list(view.containers(template)) and (_PLAN in labels) == (_INSTANCE in labels):
            yield Finding(where, "resource-plan", f"needs exactly one of `{_PLAN}` and `{_INSTANCE}`")
        if _PLAN in labels and labels[_PLAN] not in KNOWN_PLANS:
            message = did_you_mean(str(labels[_PLAN]), KNOWN_PLANS)
            yield Finding((*where, _PLAN), "resource-plan", message)


def _misplaced(view: View) -> Iterator[tuple[Path, Json]]:
    yield ("metadata", "labels"), view.mapping("metadata", "labels")
    for field in ("podMetadata", "workflowMetadata"):
        yield ("spec", field, "labels"), view.mapping("spec", field, "labels")


def security(view: View) -> Iterator[Finding]:
    """Pods run as nobody and may not become more; AI Core rejects others."""
    holders = [Part(("spec",), view.spec), *view.templates, *_containers(view)]
    contexts = [
        Part((*part.where, "securityContext"), part.value.get("securityContext") or {}) for part in holders
    ]
    for context in contexts:
        for message in _escapes(context.value):
            yield Finding(context.where, "security-context", message)
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if view.spec.get(field):
            yield Finding(("spec", field), "security-context", "pods do not share the host; remove it")


def _escapes(context: Json) -> Iterator[str]:
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        if context.get(field, _NOBODY) != _NOBODY:
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


def environment(view: View) -> Iterator[Finding]:
    """Variables are unique, and none holds a secret: AI Core refuses repositories with secrets."""
    for part in _containers(view):
        variables = listed(part.value, part.where, "env")
        for variable in repeated(variables):
            message = f"there already is a variable `{variable.value.get('name')}`"
            yield Finding((*variable.where, "name"), "duplicate-variable", message)
        for variable in variables:
            value = variable.value.get("value")
            named = _SECRET_NAME.search(str(variable.value.get("name") or ""))
            if (
                isinstance(value, str)
                and value
                and ((named and "{{" not in value) or _SECRET_VALUE.search(value))
            ):
                message = "looks like a secret; take it from an AI Core secret with `valueFrom.secretKeyRef`"
                yield Finding((*variable.where, "value"), "secret-in-template", message)


def volumes(view: View) -> Iterator[Finding]:
    """Every mount names a volume that exists."""
    shared = listed(view.spec, ("spec",), "volumes")
    claims = listed(view.spec, ("spec",), "volumeClaimTemplates")
    common = {str((part.value.get("metadata") or {}).get("name")) for part in claims} | _names(shared)
    for template in view.templates:
        names = common | _names(listed(template.value, template.where, "volumes"))
        for container in view.containers(template):
            for mount in listed(container.value, container.where, "volumeMounts"):
                if mount.value.get("name") not in names:
                    message = f"names no volume; {did_you_mean(str(mount.value.get('name')), names)}"
                    yield Finding((*mount.where, "name"), "volume-mount", message)


def _names(parts: list[Part]) -> set[str]:
    return {str(part.value.get("name")) for part in parts}


def several(view: View) -> Iterator[Finding]:
    """With several containers one is `main`; logs show only others whose name begins with `readable-`."""
    for template in view.templates:
        parts = listed(template.value, template.where, "sidecars")
        group = listed(
            template.value.get("containerSet") or {}, (*template.where, "containerSet"), "containers"
        )
        if group and not any(part.value.get("name") == "main" for part in group):
            yield Finding(
                (*template.where, "containerSet"), "container-name", "one container must be named `main`"
            )
        for part in [*parts, *(item for item in group if item.value.get("name") != "main")]:
            if not str(part.value.get("name") or "").startswith("readable-"):
                message = "begin the name with `readable-`, or its log stays invisible"
                yield Finding((*part.where, "name"), "container-name", message)


def _containers(view: View) -> Iterator[Part]:
    for template in view.templates:
        yield from view.containers(template)


RULES = (commands, images, machines, security, environment, volumes, several)
