"""Which live objects are the wanted ones: by content, never by name alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.desired import (
    FINGERPRINT_LABEL,
    SHORT,
    DesiredArtifact,
    DesiredConfiguration,
    DesiredDataset,
    Input,
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
    """Live configurations of that name *and* content, oldest first; before them the adopted one.

    An adopted one counts while it is only observed, and later as long as the specs give the content that it
    was adopted for.
    """
    adopted = adopted_configuration(wanted, live)
    if wanted.observed:
        return (adopted,) if adopted else ()
    found = tuple(c for c in live.configurations_by_name.get(wanted.full_name, ()) if holds(c, wanted, live))
    return (adopted, *found) if adopted and as_adopted(wanted) else found


def adopted_configuration(wanted: DesiredConfiguration, live: Live) -> Configuration | None:
    """The live configuration that a spec names by its id; None where there is none of this executable."""
    found = live.configurations_by_id.get(wanted.adopted.id) if wanted.adopted else None
    same = found and (found.scenario, found.executable) == (wanted.scenario, wanted.executable)
    return found if same else None


def as_adopted(wanted: DesiredConfiguration) -> bool:
    """Whether the specs ask for the very content for which the adopted configuration stands."""
    content = wanted.adopted.content if wanted.adopted else ""
    return bool(content) and wanted.full_name[-SHORT:] == content


def known_artifact(wanted: DesiredArtifact, artifacts: Iterable[Artifact]) -> Artifact | None:
    """The artifact that a spec names: by its id, or the oldest one with its URL."""
    same = (
        a
        for a in artifacts
        if (a.scenario, a.kind) == (wanted.scenario, wanted.kind)
        and (a.id == wanted.id if wanted.id else a.url == wanted.url)
    )
    return min(same, key=lambda a: (a.created_at, a.id), default=None)


def holds(live_one: Configuration, wanted: DesiredConfiguration, live: Live) -> bool:
    """Whether a live configuration holds exactly what is wanted."""
    if (live_one.scenario, live_one.executable) != (wanted.scenario, wanted.executable):
        return False
    if dict(live_one.parameters) != dict(wanted.parameters) or set(live_one.inputs) != set(wanted.inputs):
        return False
    # Any artifact with that content will do, wherever it lies: the content is what the name vouches for.
    return all(_is(live_one.inputs[port], item, live) for port, item in wanted.inputs.items())


def _is(artifact_id: str, item: Input, live: Live) -> bool:
    artifact = live.artifacts_by_id.get(artifact_id)
    if isinstance(item, DesiredArtifact):
        return artifact_id == item.id or (artifact is not None and artifact.url == item.url)
    return identity(artifact) == item.fingerprint


def identity(artifact: Artifact | None) -> str | None:
    """What an artifact holds: a dataset of ours tells it by its fingerprint, an output by its run."""
    if artifact is None:
        return None
    fingerprint = artifact.labels.get(FINGERPRINT_LABEL)
    if fingerprint is None and artifact.execution:
        return output_identity(artifact.execution, artifact.name)
    return fingerprint
