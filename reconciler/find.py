"""Which live objects are the wanted ones: by content, never by name alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.desired import (
    FINGERPRINT_LABEL,
    DesiredConfiguration,
    DesiredDataset,
    output_identity,
)
from reconciler.live import Artifact, Configuration, Live


def find_artifacts(dataset: DesiredDataset, artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """Artifacts of that content at that URL, oldest first. A display name proves nothing."""
    found = [
        a
        for a in artifacts
        if a.scenario == dataset.scenario
        and a.url == dataset.url
        and a.kind == dataset.kind
        and a.labels.get(FINGERPRINT_LABEL) == dataset.fingerprint
    ]
    return tuple(sorted(found, key=lambda a: (a.created_at, a.id)))


def find_configurations(wanted: DesiredConfiguration, live: Live) -> tuple[Configuration, ...]:
    """Live configurations of that name *and* content, oldest first."""
    return tuple(c for c in live.configurations_by_name.get(wanted.full_name, ()) if holds(c, wanted, live))


def holds(live_one: Configuration, wanted: DesiredConfiguration, live: Live) -> bool:
    """Whether a live configuration holds exactly what is wanted."""
    if (live_one.scenario, live_one.executable) != (wanted.scenario, wanted.executable):
        return False
    if dict(live_one.parameters) != dict(wanted.parameters) or set(live_one.inputs) != set(wanted.inputs):
        return False
    # Any artifact with that content will do, wherever it lies: the content is what the name vouches for.
    return all(
        identity(live.artifacts_by_id.get(live_one.inputs[port])) == item.fingerprint
        for port, item in wanted.inputs.items()
    )


def identity(artifact: Artifact | None) -> str | None:
    """What an artifact holds: a dataset of ours tells it by its fingerprint, an output by its run."""
    if artifact is None:
        return None
    fingerprint = artifact.labels.get(FINGERPRINT_LABEL)
    if fingerprint is None and artifact.execution:
        return output_identity(artifact.execution, artifact.name)
    return fingerprint
