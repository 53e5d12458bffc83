"""What a plan says about adopted objects: those that are gone, those that the specs no longer describe. Pure.

An adopted configuration is recognised by its id. While it is only observed nothing follows from a difference
but a warning; later the difference is a new configuration, as everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.desired import Desired, DesiredArtifact, DesiredConfiguration
from reconciler.explain import differences
from reconciler.find import adopted_configuration, as_adopted, known_artifact
from reconciler.live import Configuration, Live
from reconciler.plan_model import Problem

__all__ = ["Problems", "adopted_problems", "difference", "why_not_adopted"]

_GONE = "adopted-missing"
_DIFFERENT = "adopted-differs"


@dataclass(frozen=True, slots=True)
class Problems:
    """What is wrong with the adopted objects."""

    warnings: tuple[Problem, ...]
    errors: tuple[Problem, ...]


def adopted_problems(desired: Desired, live: Live) -> Problems:
    """An artifact that is gone forbids the plan where something of ours needs it; all else is a warning."""
    needed = {item.address for item in _needed(desired)}
    gone = [_no_artifact(one) for one in desired.artifacts if not known_artifact(one, live.artifacts)]
    return Problems(
        warnings=(
            *(problem for problem in gone if problem.address not in needed),
            *(problem for one in desired.configurations for problem in _configuration(one, desired, live)),
            *_servers(desired, live),
        ),
        errors=tuple(problem for problem in gone if problem.address in needed),
    )


def _needed(desired: Desired) -> Iterator[DesiredArtifact]:
    for configuration in desired.configurations:
        if not configuration.observed:
            yield from (i for i in configuration.inputs.values() if isinstance(i, DesiredArtifact))
    for deployment in desired.deployments:
        if not deployment.observed:
            yield from (i for i in deployment.inputs.values() if isinstance(i, DesiredArtifact))


def _no_artifact(wanted: DesiredArtifact) -> Problem:
    return Problem(
        wanted.address,
        _GONE,
        f"scenario {wanted.scenario} has no {wanted.kind} {wanted.id or wanted.url} in AI Core",
        "Correct its id, url or kind in the spec, or let a dataset take its place.",
    )


def _configuration(wanted: DesiredConfiguration, desired: Desired, live: Live) -> Iterator[Problem]:
    if wanted.adopted is None:
        return
    found = adopted_configuration(wanted, live)
    if found is None:
        yield Problem(
            wanted.address,
            _GONE,
            f"scenario {wanted.scenario} has no configuration {wanted.adopted.id} of {wanted.executable}",
            "An id belongs to one AI Core and resource group: correct it, or remove `adopt`.",
        )
    elif wanted.observed and (said := difference(wanted, found, desired, live)):
        yield Problem(
            wanted.address,
            _DIFFERENT,
            f"{said}; {found.name} ({found.id}) never changes, and nothing follows while it is observed",
            "Put it back, or remove `observe: true`: then the plan shows what it would run.",
        )


def difference(wanted: DesiredConfiguration, found: Configuration, desired: Desired, live: Live) -> str:
    """What the spec says otherwise than the adopted configuration; empty where it describes it."""
    vouched = wanted.adopted is not None and bool(wanted.adopted.content) and bool(wanted.full_name)
    if vouched and as_adopted(wanted):
        return ""
    template = next((t.document for t in desired.templates if t.executable == wanted.executable), {})
    fields = [f"{f.path}: {f.before} -> {f.after}" for f in differences(found, wanted, template, live)]
    return ", ".join(fields) or (why_not_adopted(wanted, found) if vouched else "")


def why_not_adopted(wanted: DesiredConfiguration, found: Configuration) -> str:
    """Why an adopted configuration does not count, although no field of it differs."""
    if wanted.adopted is None or not wanted.adopted.content:
        return f"`adopt` names no content: nobody vouches that {found.name} ran this template"
    return f"the template, or a default, is not the one for which {found.name} was adopted"


def _servers(desired: Desired, live: Live) -> Iterator[Problem]:
    known = {server.id for server in live.deployments}
    for wanted in desired.deployments:
        if wanted.adopted is not None and wanted.adopted.id not in known:
            yield Problem(
                wanted.address,
                _GONE,
                f"scenario {wanted.scenario} has no deployment {wanted.adopted.id}",
                "It was deleted, or lives in another AI Core or resource group: correct or remove the id.",
            )
