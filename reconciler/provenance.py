"""Where a model comes from, as an in-toto statement with the predicate of SLSA provenance. Pure.

https://in-toto.io/Statement/v1 and https://slsa.dev/provenance/v1; keys that begin with `corespec_` are ours.
What nobody can tell is null or absent, and `corespec_unknown` says why: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from generator.fingerprint import template_fingerprint
from reconciler.desired import DATASET_LABEL, FINGERPRINT_LABEL
from reconciler.figures import last_values
from reconciler.live import Artifact, Configuration, Deployment, Execution, Metrics

__all__ = ["Facts", "Rendered", "SpecFile", "statement"]

_SPLITS = ("test", "validation", "train", "")


@dataclass(frozen=True, slots=True)
class SpecFile:
    """The spec that asked for a run: a file at a commit. `committed_at` is the commit's own time."""

    commit: str
    committed_at: datetime
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """The template that a run was made with, as Git has it, and the version of corespec that rendered it."""

    commit: str
    path: str
    document: Mapping[str, Any] = field(repr=False)
    version: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was read about one run. `files`: SHA-256 of each file, by artifact id and path below it."""

    resource_group: str
    service: str  #: URL of AI Core
    repository: str  #: URL of the Git repository, without credentials
    execution: Execution
    configuration: Configuration
    inputs: Mapping[str, Artifact | None]  #: by port
    outputs: tuple[Artifact, ...]
    metrics: Metrics
    spec: SpecFile | None = None
    template: Rendered | None = None
    address: str = ""  #: of the configuration in that spec
    adopted: bool = False
    deployment: Deployment | None = None  #: the server that was asked about
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    tool: str = ""  #: version that writes this


def statement(facts: Facts) -> dict[str, Any]:
    """The whole statement, for JSON."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject for output in facts.outputs for subject in _subjects(output, facts)],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:corespec:execution:v1",
                "externalParameters": _external(facts),
                "internalParameters": {
                    "resourceGroup": facts.resource_group,
                    "configurationId": facts.configuration.id,
                    "configurationName": facts.configuration.name,
                },
                "resolvedDependencies": [*_sources(facts), *_images(facts), *_data(facts)],
            },
            "runDetails": {
                "builder": {"id": facts.service, "version": {"corespec": _renderer(facts)}},
                "metadata": {
                    "invocationId": facts.execution.id,
                    "startedOn": _time(facts.execution.started_at),
                    "finishedOn": _time(facts.execution.completed_at),
                },
            },
            "corespec_run": {
                "status": facts.execution.status,
                "createdOn": _time(facts.execution.created_at),
                "adopted": facts.adopted,
                "tool": facts.tool,
            },
            "corespec_metrics": _metrics(facts.metrics),
            "corespec_deployment": _deployment(facts.deployment),
            "corespec_unknown": list(facts.unknown),
        },
    }


def _subjects(output: Artifact, facts: Facts) -> list[dict[str, Any]]:
    """Each file that the run has written; the artifact as a whole where its bytes were not read."""
    about = {"uri": output.url, "annotations": {"artifactId": output.id, "kind": output.kind}}
    files = facts.files.get(output.id)
    if not files:
        return [{"name": output.name, "digest": {}, **about}]
    return [
        {"name": f"{output.name}/{path}", "digest": {"sha256": digest}, **about}
        for path, digest in sorted(files.items())
    ]


def _external(facts: Facts) -> dict[str, Any]:
    configuration = facts.configuration
    return {
        "scenario": configuration.scenario,
        "executable": configuration.executable,
        "configuration": facts.address or None,
        "parameters": dict(sorted(configuration.parameters.items())),
        "inputs": dict(sorted(configuration.inputs.items())),
    }


def _sources(facts: Facts) -> list[dict[str, Any]]:
    found = []
    if facts.spec:
        annotations = {"path": facts.spec.path, "committedOn": _time(facts.spec.committed_at)}
        digest = {"gitCommit": facts.spec.commit, "sha256": facts.spec.sha256}
        uri = f"git+{facts.repository}@{facts.spec.commit}"
        found.append({"name": "spec", "uri": uri, "digest": digest, "annotations": annotations})
    if facts.template:
        fingerprint = template_fingerprint(facts.template.document)
        found.append(
            {
                "name": "template",
                "uri": f"git+{facts.repository}@{facts.template.commit}",
                "digest": {"gitCommit": facts.template.commit, "corespecTemplate": fingerprint},
                "annotations": {"path": facts.template.path},
            }
        )
    return found


def _images(facts: Facts) -> list[dict[str, Any]]:
    if facts.template is None:
        return []
    return [_image(reference) for reference in sorted(set(_references(facts.template.document)))]


def _references(value: Any) -> list[str]:
    """Every image of a template; a ServingTemplate has its containers in a text."""
    if isinstance(value, Mapping):
        own = [value["image"]] if isinstance(value.get("image"), str) else []
        return [*own, *(found for part in value.values() for found in _references(part))]
    return [found for part in value for found in _references(part)] if isinstance(value, list) else []


def _image(reference: str) -> dict[str, Any]:
    plain, _, digest = reference.partition("@sha256:")
    return {"name": "image", "uri": f"oci://{plain}", "digest": {"sha256": digest} if digest else {}}


def _data(facts: Facts) -> list[dict[str, Any]]:
    return [_input(port, artifact) for port, artifact in sorted(facts.inputs.items()) if artifact]


def _input(port: str, artifact: Artifact) -> dict[str, Any]:
    fingerprint = artifact.labels.get(FINGERPRINT_LABEL)
    annotations = {"artifactId": artifact.id, "kind": artifact.kind, "artifact": artifact.name}
    if dataset := artifact.labels.get(DATASET_LABEL):
        annotations["dataset"] = dataset
    if artifact.execution:
        annotations["execution"] = artifact.execution
    digest = {"corespecManifest": fingerprint} if fingerprint else {}
    return {"name": f"input:{port}", "uri": artifact.url, "digest": digest, "annotations": annotations}


def _renderer(facts: Facts) -> str | None:
    return facts.template.version or None if facts.template else None


def _metrics(metrics: Metrics) -> dict[str, dict[str, float]]:
    """The last value of each metric, by split."""
    found = {split or "unlabelled": last_values(metrics, split) for split in _SPLITS}
    return {split: dict(sorted(values.items())) for split, values in found.items() if values}


def _deployment(server: Deployment | None) -> dict[str, str] | None:
    if server is None:
        return None
    return {
        "id": server.id,
        "url": server.url,
        "status": server.status,
        "configurationId": server.configuration,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
