"""A workflow folder of the user's own: the old template with `<< … >>` where a spec decides. Pure.

Whatever is not decided by a spec stands there as it was: steps, commands, volumes, further labels. Text that
Jinja would take for its own is put between `raw` and `endraw`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from generator.emit import emit
from generator.importing.embedded import (
    IMAGE_LINE,
    MACHINE_LINE,
    embedded_image,
    embedded_machine,
    secret_line,
)
from generator.importing.facts import ARTIFACTS, INSTANCE, PLAN, Facts, Port, containers, machine_of
from generator.importing.identity import ANNOTATIONS, OWN_PREFIX, SCENARIO, VERSION, misfit
from generator.importing.model import Account, OwnWorkflow
from generator.importing.places import Places, blanks_of
from generator.spec.findings import Findings
from generator.spec.model import API_VERSION
from generator.spec.parameters import Parameter, UnfitValueError, canonical
from generator.spec.types import KNOWN_PLANS, DockerSecretName, ParameterName, Text

TEMPLATE = "template.yaml.j2"
_ID, _IMAGE, _SECRET = "<< executable.id >>", "<< executable.image >>", "<< executable.image_pull_secret >>"
_LOOP = "<% for key, value in {pairs} %>"
_ANNOTATION_PAIRS = 'annotations if not key.startswith("artifacts.ai.sap.com/")'


def own_workflow(
    name: str, document: Mapping[str, Any], description: str, findings: Findings, account: Account
) -> OwnWorkflow:
    """The folder for a mended template. What cannot be expressed is noted in `findings`."""
    facts = Facts(document)
    files = {
        "workflow.yaml": _workflow_yaml(name, facts, description, findings, account),
        TEMPLATE: _template(facts, findings),
    }
    return OwnWorkflow(name, files)


# -- workflow.yaml


def _workflow_yaml(name: str, facts: Facts, description: str, findings: Findings, account: Account) -> str:
    title = facts.annotations.get("executables.ai.sap.com/name") or name
    document = {
        "apiVersion": API_VERSION,
        "kind": "Workflow",
        "metadata": {"name": name, "title": title, "description": description},
        "type": facts.kind,
        "inputs": _ports(facts, facts.inputs),
        "outputs": _ports(facts, facts.outputs),
        "parameters": _parameters(facts, findings, account),
    }
    head = (
        "# Imported: every parameter is text. The defaults stand in template.yaml.j2 too; keep both equal.\n"
    )
    return head + emit({key: value for key, value in document.items() if value not in ({}, [])})


def _ports(facts: Facts, ports: Mapping[str, Port]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, port in ports.items():
        description = facts.annotations.get(f"{ARTIFACTS}{name}.description", "")
        found[name] = {"path": port.path, "kind": port.kind or "model"}
        if description and misfit(Text, description) is None:
            found[name]["description"] = description
    return found


def _parameters(facts: Facts, findings: Findings, account: Account) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, item in enumerate(facts.parameters):
        name, default = str(item.get("name")), item.get("default", item.get("value"))
        trouble = misfit(ParameterName, name)
        if trouble:
            findings.add((*facts.parameters_at, index, "name"), "parameter-name", f"`{name}` {trouble}")
            continue
        description = str(item.get("description") or "")
        entry = {
            "type": "string",
            "default": str(default or ""),
            "description": description if misfit(Text, description) is None else "",
            "origin": "corespec",
        }
        reason = _unfit(name, entry)
        if reason:
            account.dropped(
                f"parameter {name}", entry["default"], f"stays as it is in the template: {reason}"
            )
            continue
        found[name] = entry
        account.carried(f"parameter {name}", entry["default"] or '""')
        if default is None:
            reason = "the old template has no default: every configuration has to give it"
            account.changed(f"default of {name}", "", '""', reason)
    return found


def _unfit(name: str, entry: Mapping[str, Any]) -> str | None:
    try:
        canonical(Parameter(name=name, **{**entry, "default": ""}), entry["default"])
    except UnfitValueError as error:
        return f"its default {error}"
    return None


# -- template.yaml.j2


def _template(facts: Facts, findings: Findings) -> str:
    document = copy.deepcopy(dict(facts.document))
    places = Places()
    metadata = document["metadata"]
    metadata["name"] = places.inline(_ID)
    metadata["labels"] = places.block(_pairs("labels"), _rest(metadata["labels"], _is_label))
    metadata["annotations"] = places.block(
        _pairs(_ANNOTATION_PAIRS), _rest(metadata["annotations"], ANNOTATIONS.__contains__)
    )
    if facts.serving:
        _embed(document["spec"]["template"], places, findings)
    else:
        _machines(document, facts, places)
        document["spec"] = _with_secrets(document["spec"], facts, places)
    lines = [line for text in emit(document).rstrip("\n").split("\n") for line in places.filled(text)]
    head = ["<# Imported. << … >> is what specs decide; the rest stands as it was. #>"]
    return "\n".join([*head, *lines]) + "\n"


def _is_label(key: str) -> bool:
    return key in {SCENARIO, VERSION} or key.startswith(OWN_PREFIX)


def _rest(section: Mapping[str, Any], decided: Any) -> dict[str, Any]:
    return {key: value for key, value in section.items() if not decided(key)}


def _pairs(pairs: str) -> list[str]:
    return [_LOOP.format(pairs=pairs), "  << key >>: << value >>", "<% endfor %>"]


def _machines(document: dict[str, Any], facts: Facts, places: Places) -> None:
    """The image and the machine of most containers; those of other containers stay."""
    for index, template in facts.runners:
        target = document["spec"]["templates"][index]
        if machine_of(template) == facts.machine and is_decidable(facts.machine):
            labels = _rest(template["metadata"]["labels"], {PLAN, INSTANCE}.__contains__)
            target["metadata"]["labels"] = places.block(_pairs("machine_labels"), labels)
        for _, container in containers(target):
            if container.get("image") == facts.image:
                container["image"] = places.inline(_IMAGE)


def is_decidable(machine: tuple[str, str] | None) -> bool:
    """Whether a spec can name the machine; one that a parameter chooses stays in the template."""
    return (
        machine is not None
        and "{{" not in machine[1]
        and (machine[0] == INSTANCE or machine[1] in KNOWN_PLANS)
    )


def _with_secrets(spec: dict[str, Any], facts: Facts, places: Places) -> dict[str, Any]:
    """The pull secret of the spec first, further ones behind it; one that no spec can name stays."""
    if facts.pull_secrets and misfit(DockerSecretName, facts.pull_secrets[0]):
        return spec
    others = list(spec.get("imagePullSecrets") or [])[1:]
    guarded = ["<% if executable.image_pull_secret %>", f"  - name: {_SECRET}", "<% endif %>"]
    if others:
        secrets = places.block(guarded, others)
        return {**spec, "imagePullSecrets": secrets}
    whole = ["<% if executable.image_pull_secret %>", "KEY:", f"  - name: {_SECRET}", "<% endif %>"]
    rest = {key: value for key, value in spec.items() if key != "imagePullSecrets"}
    return {"imagePullSecrets": places.block(whole, None), **rest}


def _embed(template: dict[str, Any], places: Places, findings: Findings) -> None:
    """The three texts of a ServingTemplate, with the same places in them."""
    metadata = template["metadata"]
    if isinstance(metadata.get("annotations"), str):
        metadata["annotations"] = places.text(_lines(metadata["annotations"]))
    image, machine = embedded_image(template["spec"]), embedded_machine(metadata["labels"])
    if image is None or machine is None:
        message = "write `image:` and the resource plan on lines of their own, so that a spec can decide them"
        findings.add(("spec", "template"), "cannot-import", message)
        return
    metadata["labels"] = _machine_text(_lines(metadata["labels"]), machine, places)
    lines = _lines(template["spec"])
    held = secret_line(lines)
    if held and misfit(DockerSecretName, held[2]) is None:
        expression = f'<< executable.image_pull_secret or "{held[2]}" >>'
        lines[held[0]] = places.inside(held[1], expression)
    for index, line in enumerate(lines):
        found = IMAGE_LINE.match(line)
        if found and found[3] == image:
            lines[index] = places.inside(found[1], _IMAGE)
    template["spec"] = places.text(lines)


def _machine_text(lines: list[str], machine: tuple[str, str], places: Places) -> str:
    if not is_decidable(machine):
        return places.text(lines)
    loop = (
        _LOOP.format(pairs="machine_labels"),
        f"{blanks_of(lines[0])}<< key >>: << value >>",
        "<% endfor %>",
    )
    return places.text([line for line in lines if not MACHINE_LINE.match(line)], before=loop)


def _lines(text: str) -> list[str]:
    return [line for line in text.rstrip("\n").split("\n") if line]
