"""Templates that a workflow of the catalogue renders: those of corespec itself, and, when asked, the content
package's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from generator.catalog import Workflow
from generator.errors import InputError
from generator.importing.embedded import embedded_image, embedded_machine, embedded_secret
from generator.importing.facts import INSTANCE, PLAN, Facts, listed
from generator.importing.identity import Identity
from generator.render import build_template
from generator.spec.document import Scenario
from generator.spec.environment import BaseImages
from generator.spec.executable import Executable
from generator.spec.model import API_VERSION
from generator.spec.resolve import ResolvedExecutable

_COMMAND = re.compile(r"exec python -m trainer ([a-z0-9-]+) ")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def own_trainer(facts: Facts) -> str | None:
    """The workflow that a template runs, where it runs corespec's trainer."""
    text = str(facts.spec.get("template", {}).get("spec", "")) if facts.serving else str(facts.templates)
    found = set(_COMMAND.findall(text))
    return found.pop() if len(found) == 1 else None


def rendered_from(identity: Identity, facts: Facts, workflow: Workflow) -> dict[str, Any] | None:
    """The executable whose template is exactly this one; None when there is none."""
    spec = {
        "workflow": workflow.name,
        **placed(facts),
        **(_serving_fields(facts) if facts.serving else _run_fields(facts)),
        **identity.executable,
    }
    if spec.get("description") == workflow.description:
        del spec["description"]
    try:
        scenario = {"apiVersion": API_VERSION, "kind": "Scenario", "metadata": dict(identity.scenario)}
        executable = Executable.model_validate(spec, by_alias=True, by_name=False)
        image = executable.image
        document = build_template(
            ResolvedExecutable(
                scenario=Scenario.model_validate(scenario, by_alias=True, by_name=False),
                id=identity.id,
                spec=executable,
                workflow=workflow,
                source="",
                image=image,
                image_reference=image,
                base_image=BaseImages().cpu,
            ),
            identity.id,
        )
    except (ValidationError, InputError):
        return None
    return (
        spec if document == {**facts.document, "metadata": {**facts.metadata, "name": identity.id}} else None
    )


def placed(facts: Facts) -> dict[str, Any]:
    """Image, pull secret and machine of a template, as an executable says them."""
    if facts.serving:
        template = facts.spec.get("template") or {}
        text = str(template.get("spec") or "")
        image, secret = embedded_image(text) or "", embedded_secret(text)
        machine = embedded_machine(str((template.get("metadata") or {}).get("labels") or ""))
    else:
        image, machine = facts.image, facts.machine
        secret = facts.pull_secrets[0] if facts.pull_secrets else None
    fields: dict[str, Any] = {"image": image}
    if secret:
        fields["imagePullSecret"] = secret
    if machine:
        fields[{PLAN: "resourcePlan", INSTANCE: "instanceType"}[machine[0]]] = machine[1]
    return fields


def misfits(facts: Facts, workflow: Workflow) -> list[str]:
    """What a template has that a workflow of the catalogue has not; empty when it fits."""
    found = []
    if facts.serving != (workflow.kind == "serving"):
        found.append(f"it is a {facts.document.get('kind')}, not a {workflow.template_kind}")
    names = [str(item.get("name")) for item in facts.parameters]
    unknown = [name for name in names if name not in workflow.parameters]
    found += [f"parameter `{name}`" for name in unknown]
    for side, there, here in (
        ("input", facts.inputs, workflow.inputs),
        ("output", facts.outputs, workflow.outputs),
    ):
        found += [f"{side} `{name}`" for name in there if name not in here]
        found += [f"no {side} `{name}`" for name, item in here.items() if name not in there and item.required]
        found += [
            f"{side} `{name}` is a {port.kind} there and a {here[name].kind} here"
            for name, port in there.items()
            if name in here and port.kind not in (None, here[name].kind)
        ]
    return found


def _run_fields(facts: Facts) -> dict[str, Any]:
    """What an executable says about runs, out of the template that it was rendered to."""
    step = facts.runners[0][1] if facts.runners else {}
    fields: dict[str, Any] = {}
    shared = next((item for item in listed(step, "volumes") if item.get("name") == "shm"), {})
    size = (shared.get("emptyDir") or {}).get("sizeLimit")
    if size:
        fields["sharedMemory"] = size
    if facts.spec.get("activeDeadlineSeconds"):
        fields["activeDeadline"] = f"{facts.spec['activeDeadlineSeconds']}s"
    if isinstance(step.get("retryStrategy"), dict):
        fields["retry"] = _retry(step["retryStrategy"])
    claims = listed(facts.spec, "volumeClaimTemplates")
    if claims:
        fields["volumes"] = _volumes(claims, listed(step.get("container"), "volumeMounts"))
    return fields


def _retry(strategy: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"limit": _number(strategy.get("limit")), "policy": strategy.get("retryPolicy")}
    backoff = strategy.get("backoff")
    if isinstance(backoff, dict):
        waits = {"duration": backoff.get("duration"), "factor": _number(backoff.get("factor"))}
        if backoff.get("maxDuration"):
            waits["maxDuration"] = backoff["maxDuration"]
        fields["backoff"] = waits
    return fields


def _volumes(claims: list[dict[str, Any]], mounts: list[dict[str, Any]]) -> dict[str, Any]:
    paths = {item.get("name"): item.get("mountPath") for item in mounts}
    found: dict[str, Any] = {}
    for claim in claims:
        name, spec = (claim.get("metadata") or {}).get("name"), claim.get("spec") or {}
        requests = (spec.get("resources") or {}).get("requests") or {}
        found[str(name)] = {"size": requests.get("storage"), "mountPath": paths.get(name)}
        if spec.get("storageClassName"):
            found[str(name)]["storageClass"] = spec["storageClassName"]
    return found


def _serving_fields(facts: Facts) -> dict[str, Any]:
    template = facts.spec.get("template") or {}
    try:
        predictor = yaml.load(template["spec"], Loader=_LOADER)["predictor"]  # noqa: S506 - a safe loader
        notes = yaml.load(template["metadata"]["annotations"], Loader=_LOADER)  # noqa: S506
        scaling = {
            "minReplicas": predictor["minReplicas"],
            "maxReplicas": predictor["maxReplicas"],
            "concurrency": _number(notes["autoscaling.knative.dev/target"]),
        }
    except (yaml.YAMLError, KeyError, TypeError, RecursionError):
        return {}
    usual = {"minReplicas": 1, "maxReplicas": 1, "concurrency": 1}
    return {} if scaling == usual else {"scaling": scaling}


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value
