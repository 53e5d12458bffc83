"""Rules for ServingTemplates (SAP docs, serving templates and KServe spec serving.kserve.io/v1beta1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from generator.linting.containers import machine
from generator.linting.registration import check
from generator.linting.serving_view import ANNOTATIONS, LABELS, PREDICTOR, SPEC, ServingView
from generator.linting.view import Finding, listed, repeated
from generator.suggest import did_you_mean

_ARTIFACT = re.compile(r"[A-Za-z0-9]{1,256}")
_CASCADE = "executables.ai.sap.com/cascade-update-deployments"
_CONTAINER, _OLD_CONTAINER = "kserve-container", "kfserving-container"
_BOUND = re.compile(r"\{\{\s*inputs\.artifacts\.([\w-]+)\s*\}\}")
_KNATIVE = "autoscaling.knative.dev/"
_DURATION = r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+"
# SAP's KServe spec names the first five; the others are Knative's own (docs, autoscaling).
_SCALING = {
    "metric": r"concurrency|rps|cpu|memory",
    "target": r"\d+(?:\.\d+)?",
    "targetBurstCapacity": r"-?\d+(?:\.\d+)?",
    "window": _DURATION,
    "scaleToZeroPodRetentionPeriod": rf"{_DURATION}|0",
    "class": r"(?:kpa|hpa)\.autoscaling\.knative\.dev",
    "minScale": r"\d+",
    "maxScale": r"\d+",
    "min-scale": r"\d+",
    "max-scale": r"\d+",
    "initial-scale": r"\d+",
    "initialScale": r"\d+",
    "activation-scale": r"\d+",
    "scale-down-delay": rf"{_DURATION}|0",
    "scale-to-zero-pod-retention-period": rf"{_DURATION}|0",
    "target-burst-capacity": r"-?\d+(?:\.\d+)?",
    "target-utilization-percentage": r"\d+(?:\.\d+)?",
    "targetUtilizationPercentage": r"\d+(?:\.\d+)?",
    "panic-window-percentage": r"\d+(?:\.\d+)?",
    "panicWindowPercentage": r"\d+(?:\.\d+)?",
    "panic-threshold-percentage": r"\d+(?:\.\d+)?",
    "panicThresholdPercentage": r"\d+(?:\.\d+)?",
}


def inputs(view: ServingView) -> Iterator[Finding]:
    """At least one parameter, all of them text, and artifacts with names that AI Core can fill in."""
    if not view.parameters:
        message = "AI Core expects at least one input parameter; add one, if only as a dummy"
        yield Finding(("spec", "inputs"), "serving-parameters", message)
    for part in view.parameters:
        if part.value.get("type") not in {None, "string"}:
            yield Finding(
                (*part.where, "type"), "parameter-type", "must be `string`; AI Core knows no other type"
            )
    for part in repeated(view.artifacts):
        message = f"there already is an artifact `{part.name}`"
        yield Finding((*part.where, "name"), "duplicate-artifact", message)
    for part in view.artifacts:
        if not _ARTIFACT.fullmatch(part.name):
            message = "must be letters and digits alone; AI Core does not resolve any other name"
            yield Finding((*part.where, "name"), "serving-artifact-name", message)


def references(view: ServingView) -> Iterator[Finding]:
    """Every `{{…}}` in the texts names an input, and every input is named."""
    names = {
        "parameters": {part.name for part in view.parameters},
        "artifacts": {part.name for part in view.artifacts},
    }
    used: set[tuple[str, str]] = set()
    for where, expression in view.references:
        scope, _, rest = expression.split("|")[0].strip().partition(".")
        kind, _, name = rest.partition(".")
        used.add((kind, name))
        if scope != "inputs" or kind not in names:
            message = (
                f"`{{{{{expression}}}}}` is no `{{{{inputs.parameters.…}}}}` or `{{{{inputs.artifacts.…}}}}`"
            )
            yield Finding(where, "unresolved-reference", message)
        elif name not in names[kind]:
            message = f"`{{{{{expression}}}}}` names no input; {did_you_mean(name, names[kind])}"
            yield Finding(where, "unresolved-reference", message)
    for part in view.artifacts:
        if ("artifacts", part.name) not in used and not view.opaque:
            message = f"nothing reads `{part.name}`, so no model would be loaded; remove it or use it"
            yield Finding((*part.where, "name"), "unused-artifact", message)
    for part in view.parameters if len(view.parameters) > 1 and not view.opaque else ():
        if ("parameters", part.name) not in used:
            message = f"nothing reads `{part.name}`; remove it or use it"
            yield Finding((*part.where, "name"), "unused-parameter", message)


def described(view: ServingView) -> Iterator[Finding]:
    """What the document says of itself and of its artifacts."""
    yield from check(view, [part.name for part in view.artifacts])
    cascade = view.annotations.get(_CASCADE)
    if cascade is not None and cascade not in {"true", "false"}:
        yield Finding(
            ("metadata", "annotations", _CASCADE), "cascade-update", 'must be `"true"` or `"false"`'
        )


def scaling(view: ServingView) -> Iterator[Finding]:
    """The autoscaler's annotations are spelt as it reads them, and its limits leave room."""
    for key, value in view.data(ANNOTATIONS).items():
        if not str(key).startswith(_KNATIVE) or "{{" in str(value):
            continue
        field = key.removeprefix(_KNATIVE)
        if field not in _SCALING:
            message = f"is no annotation of the autoscaler; {did_you_mean(field, _SCALING)}"
            yield Finding((*ANNOTATIONS, key), "autoscaling", message)
        elif isinstance(value, bool) or not re.fullmatch(_SCALING[field], str(value)):
            yield Finding((*ANNOTATIONS, key), "autoscaling", f"`{value}` is no value for it")
    low, high = view.predictor.value.get("minReplicas"), view.predictor.value.get("maxReplicas")
    if isinstance(low, int) and low < 0:
        yield Finding((*PREDICTOR, "minReplicas"), "replicas", "must be 0 or more; 0 scales to zero")
    elif isinstance(high, int) and (high < 1 or high < (low if isinstance(low, int) else 0)):
        message = "must be 1 or more, and not less than `minReplicas`"
        yield Finding((*PREDICTOR, "maxReplicas"), "replicas", message)


def structure(view: ServingView) -> Iterator[Finding]:
    """A text with statements in it cannot be judged before AI Core has filled it."""
    for path, inner in view.inner.items():
        if inner.opaque:
            message = "SAP documents references only; with statements inside, nothing here can be checked"
            yield Finding(path, "serving-logic", message)


def container(view: ServingView) -> Iterator[Finding]:
    """One container answers: named as KServe wants it, on a machine of known size, on one port."""
    if LABELS not in view.inner or view.inner[LABELS].data is not None:
        yield from machine(view.data(LABELS), LABELS)
    if view.inner[SPEC].data is None:
        return
    names = [part.name for part in view.serving]
    if _CONTAINER not in names and _OLD_CONTAINER in names:
        where = (*view.serving[names.index(_OLD_CONTAINER)].where, "name")
        message = f"is the name from before KServe 0.7; write `{_CONTAINER}`"
        yield Finding(where, "old-container-name", message)
    elif names.count(_CONTAINER) != 1:
        message = f"one container must be named `{_CONTAINER}`; {did_you_mean(names[0], [_CONTAINER])}"
        yield Finding((*PREDICTOR, "containers"), "serving-container", message)
    for part in view.serving:
        if part.name in {_CONTAINER, _OLD_CONTAINER}:
            yield from _ports(
                [item.value.get("containerPort") for item in listed(part.value, (), "ports")], part.where
            )
            yield from _storage(view, part.value.get("env") or [], part.where)


def _ports(ports: list[object], where: tuple[int | str, ...]) -> Iterator[Finding]:
    if not ports:
        yield Finding(where, "missing-port", "names no port; KServe takes 8080 for granted")
    elif len(ports) > 1:
        yield Finding((*where, "ports"), "serving-port", "Knative accepts one port only")
    elif "{{" not in str(ports[0]) and not (str(ports[0]).isdecimal() and 0 < int(str(ports[0])) < 65536):
        message = "needs a `containerPort` from 1 to 65535"
        yield Finding((*where, "ports", 0, "containerPort"), "serving-port", message)


def _storage(
    view: ServingView, variables: list[dict[str, object]], where: tuple[int | str, ...]
) -> Iterator[Finding]:
    """KServe downloads what STORAGE_URI names to /mnt/models."""
    for index, variable in enumerate(variables):
        if variable.get("name") == "STORAGE_URI" and not _BOUND.fullmatch(str(variable.get("value"))):
            message = "must be one input artifact: `{{inputs.artifacts.NAME}}`"
            yield Finding((*where, "env", index, "value"), "storage-uri", message)
    if view.artifacts and not any(variable.get("name") == "STORAGE_URI" for variable in variables):
        message = "without `STORAGE_URI` KServe downloads no model to /mnt/models"
        yield Finding((*where, "env"), "storage-uri", message)


RULES: tuple[Callable[[ServingView], Iterator[Finding]], ...] = (
    inputs,
    references,
    described,
    scaling,
    structure,
    container,
)
