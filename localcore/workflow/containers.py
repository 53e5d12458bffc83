"""The container and script bodies of a template; pure."""

from __future__ import annotations

from typing import Any

from localcore.workflow.errors import WorkflowError
from localcore.workflow.fields import known, mapping, mappings, name, text, texts, words
from localcore.workflow.model import Container, Mount

# What only a cluster can honour (image, resources, rights, ports) is accepted and has no effect here.
_CONTAINER = words(
    "name image imagePullPolicy command args env envFrom workingDir volumeMounts resources"
    " securityContext ports terminationMessagePath terminationMessagePolicy source"
)


def _env(found: dict[str, Any], where: str) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    plain, secret = [], []
    for variable in mappings(found.get("env"), f"{where}: env"):
        label = name(variable, f"{where}: env")
        here = f"{where}: env.{label}"
        known(variable, frozenset({"name", "value", "valueFrom"}), here)
        source = mapping(variable.get("valueFrom"), f"{here}.valueFrom")
        if not source:
            plain.append((label, text(variable.get("value", ""), f"{here}.value")))
            continue
        known(source, frozenset({"secretKeyRef"}), f"{here}.valueFrom")
        reference = mapping(source["secretKeyRef"], f"{here}.valueFrom.secretKeyRef")
        secret.append(
            (label, name(reference, here), text(reference.get("key"), f"{here}.valueFrom.secretKeyRef.key"))
        )
    return plain, secret


def _env_from(found: dict[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    result = []
    for source in mappings(found.get("envFrom"), f"{where}: envFrom"):
        known(source, frozenset({"prefix", "secretRef"}), f"{where}: envFrom")
        reference = mapping(source.get("secretRef"), f"{where}: envFrom.secretRef")
        result.append((name(reference, f"{where}: envFrom.secretRef"), text(source.get("prefix", ""), where)))
    return tuple(result)


def volume_kinds(spec: dict[str, Any], where: str) -> dict[str, bool]:
    """Volumes of a workflow or template by name; True for those shared between pods. Raises WorkflowError."""
    kinds: dict[str, bool] = {}
    for volume in mappings(spec.get("volumes"), f"{where}.volumes"):
        label = name(volume, f"{where}.volumes")
        known(volume, frozenset({"name", "emptyDir"}), f"{where}.volumes.{label}")
        empty = mapping(volume.get("emptyDir"), f"{where}.volumes.{label}.emptyDir")
        known(empty, frozenset({"medium", "sizeLimit"}), f"{where}.volumes.{label}.emptyDir")
        kinds[label] = False
    for claim in mappings(spec.get("volumeClaimTemplates"), f"{where}.volumeClaimTemplates"):
        kinds[name(mapping(claim.get("metadata"), where), f"{where}.volumeClaimTemplates")] = True
    return kinds


def _mounts(found: dict[str, Any], where: str, volumes: dict[str, bool]) -> tuple[Mount, ...]:
    result = []
    for mount in mappings(found.get("volumeMounts"), f"{where}: volumeMounts"):
        label = name(mount, f"{where}: volumeMounts")
        if label not in volumes:
            raise WorkflowError(f"{where}: volumeMounts names volume {label}, which does not exist")
        here = f"{where}: volumeMounts.{label}"
        known(mount, frozenset({"name", "mountPath", "readOnly"}), here)
        path = text(mount.get("mountPath"), f"{here}.mountPath").rstrip("/")
        if not path.startswith("/"):
            raise WorkflowError(f"{here}.mountPath: {mount['mountPath']!r} must be a folder below /")
        result.append(Mount(label, path, volumes[label]))
    return tuple(result)


def parse(value: Any, where: str, kind: str, volumes: dict[str, bool]) -> Container:
    """Read a `container` or `script` body. Raises WorkflowError."""
    found = mapping(value, f"{where}: {kind}")
    known(found, _CONTAINER, f"{where}: {kind}")
    command = texts(found.get("command"), f"{where}: {kind}.command")
    if not command:
        raise WorkflowError(f"{where}: {kind}.command is missing; the image's own command is not used")
    source = None
    if kind == "script":
        source = text(found.get("source"), f"{where}: script.source")
    plain, secret = _env(found, where)
    return Container(
        command=command,
        args=texts(found.get("args"), f"{where}: {kind}.args"),
        env=tuple(plain),
        env_secrets=tuple(secret),
        env_from=_env_from(found, where),
        working_dir=text(found.get("workingDir", ""), f"{where}: {kind}.workingDir"),
        source=source,
        mounts=_mounts(found, where, volumes),
    )
