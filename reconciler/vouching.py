"""The content for which an adopted object stands: the fingerprint that its entry gives in the specs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generator.fingerprint import template_fingerprint
from generator.spec.document import Scenario
from generator.spec.reader import Path as Where
from reconciler.adoption import difference
from reconciler.desired import SHORT, Desired, DesiredBest, full_name
from reconciler.find import adopted_configuration
from reconciler.live import Live

Entries = Mapping[str, Mapping[str, Any]]


def contents(desired: Desired, scenario: str) -> dict[Where, str]:
    """The digits of every configuration and deployment whose template and inputs are known, by section and
    name.
    """
    found: dict[Where, str] = {}
    for wanted in desired.configurations:
        if wanted.scenario == scenario and wanted.full_name:
            found["configurations", wanted.name] = wanted.full_name[-SHORT:]
    templates = {template.executable: template.document for template in desired.templates}
    for server in desired.deployments:
        template = templates.get(server.executable)
        inputs = {port: item for port, item in server.inputs.items() if not isinstance(item, DesiredBest)}
        if server.scenario == scenario and template is not None and len(inputs) == len(server.inputs):
            made_with = template_fingerprint(template)
            name = full_name(server.name, server.executable, made_with, server.parameters, inputs)
            found["deployments", server.name] = name[-SHORT:]
    return found


def vouched(entries: Entries, digits: Mapping[Where, str]) -> dict[str, dict[str, Any]]:
    """The entries with the content for which each stands, where that is known."""
    made = {section: dict(part) for section, part in entries.items()}
    for section in ("configurations", "deployments"):
        for name, entry in made[section].items():
            content = digits.get((section, name))
            known = {"content": content} if content else {}
            kept = {key: value for key, value in entry["adopt"].items() if content or key == "id"}
            made[section][name] = {**entry, "adopt": {**kept, **known}}
    return made


def unvouched(desired: Desired, scenario: str, written: Scenario, live: Live) -> dict[Where, str]:
    """What to fill in where something was adopted before its executable was in the specs."""
    digits = contents(desired, scenario)
    return {
        ("configurations", wanted.name, "adopt", "content"): digits["configurations", wanted.name]
        for wanted in desired.configurations
        if wanted.observed
        and ("configurations", wanted.name) in digits
        and (spec := written.configurations.get(wanted.name))
        and spec.adopt
        and not spec.adopt.content
        and wanted.scenario == scenario
        and (found := adopted_configuration(wanted, live))
        and not difference(wanted, found, desired, live)
    }
