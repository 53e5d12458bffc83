"""The statement about a model: the shape that in-toto and SLSA ask for, and nothing that was not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.desired import DATASET_LABEL, FINGERPRINT_LABEL
from reconciler.live import Artifact, Configuration, Deployment, Execution, Metric, Metrics
from reconciler.provenance import Facts, Rendered, SpecFile, statement
from tests.reconciler.builders import template_document
from tests.reconciler.fake import START

RUN = Execution(
    "e1", "c1", "baseline--0123456789ab", "meters", "digits", "COMPLETED", "COMPLETED",
    START, START, started_at=START, completed_at=START + timedelta(minutes=5),
)  # fmt: skip
CONFIGURATION = Configuration(
    "c1",
    RUN.configuration_name,
    "meters",
    "digits",
    START,
    {"rate": "0.1"},
    {"datain": "a1", "modelin": "a2"},
)
DATA = Artifact(
    "a1", "words", "dataset", "ai://default/w/0123", "meters", START,
    {DATASET_LABEL: "words", FINGERPRINT_LABEL: "f" * 64},
)  # fmt: skip
BEFORE = Artifact("a2", "model", "model", "ai://default/e0/model", "meters", START, {}, "e0")
MODEL = Artifact("a3", "model", "model", "ai://default/e1/model", "meters", START, {}, "e1")
FACTS = Facts(
    "default", "https://api", "https://git/x.git", RUN, CONFIGURATION, {"datain": DATA, "modelin": BEFORE},
    (MODEL,), Metrics("e1"), tool="1.2",
)  # fmt: skip


def _parts(facts: Facts) -> dict[str, dict[str, Any]]:
    definition = statement(facts)["predicate"]["buildDefinition"]
    return {item["name"]: item for item in definition["resolvedDependencies"]}


def test_what_is_not_known_is_not_said() -> None:
    """No commit, no template, no image, no digest of bytes: absent or empty, never invented."""
    made = statement(replace(FACTS, unknown=("template: gone",)))
    assert made["subject"] == [
        {
            "name": "model",
            "digest": {},
            "uri": MODEL.url,
            "annotations": {"artifactId": "a3", "kind": "model"},
        }
    ]
    assert set(_parts(FACTS)) == {"input:datain", "input:modelin"}
    predicate = made["predicate"]
    assert predicate["runDetails"]["builder"]["version"] == {"corespec": None}
    assert predicate["corespec_deployment"] is None
    assert predicate["corespec_unknown"] == ["template: gone"]


def test_inputs_say_what_they_hold_and_who_wrote_them() -> None:
    """Data by the fingerprint of its manifest, another model by its run; an artifact that is gone is left."""
    parts = _parts(FACTS)
    assert parts["input:datain"]["digest"] == {"corespecManifest": "f" * 64}
    assert parts["input:datain"]["annotations"]["dataset"] == "words"
    assert (parts["input:modelin"]["digest"], parts["input:modelin"]["annotations"]["execution"]) == (
        {},
        "e0",
    )
    assert set(_parts(replace(FACTS, inputs={"datain": None}))) == set()


@pytest.mark.parametrize(
    ("image", "digest"),
    [("docker.io/acme/digits:1", {}), (f"docker.io/acme/digits:1@sha256:{'a' * 64}", {"sha256": "a" * 64})],
)
def test_the_image_is_the_templates(image: str, digest: dict[str, str]) -> None:
    """Once, whatever the number of steps, with the digest where it was locked."""
    template = Rendered("c0ffee", "rendered/x.yaml", template_document(image), "0.9")
    made = _parts(replace(FACTS, template=template))
    assert made["image"] == {"name": "image", "uri": "oci://docker.io/acme/digits:1", "digest": digest}
    assert made["template"]["uri"] == "git+https://git/x.git@c0ffee"
    assert len(made["template"]["digest"]["corespecTemplate"]) == 64


def test_the_spec_is_a_commit_and_a_file() -> None:
    spec = SpecFile("c0ffee", START, "specs/meters.yaml", "d" * 64)
    found = _parts(replace(FACTS, spec=spec))["spec"]
    assert found["digest"] == {"gitCommit": "c0ffee", "sha256": "d" * 64}
    assert found["annotations"] == {"path": "specs/meters.yaml", "committedOn": START.isoformat()}


def test_files_metrics_times_and_the_server() -> None:
    """A subject for each file; the last value of each metric by split; when it ran; what serves it."""
    metrics = (
        Metric("loss", 2.0, 1, None, {}),
        Metric("loss", 1.0, 2, None, {}),
        Metric("mAP/allClasses", 0.9, 2, None, {"data_split": "test"}),
        Metric("broken", float("nan"), 2, None, {}),
    )
    server = Deployment("d1", "c9", "x", "meters", "y", "RUNNING", "RUNNING", START, START, url="https://s")
    files = {"a3": {"b.onnx": "2" * 64, "a.json": "1" * 64}}
    facts = replace(FACTS, metrics=Metrics("e1", metrics), deployment=server, files=files, adopted=True)
    made = statement(facts)
    assert [(one["name"], one["digest"]["sha256"][0]) for one in made["subject"]] == [
        ("model/a.json", "1"),
        ("model/b.onnx", "2"),
    ]
    predicate = made["predicate"]
    assert predicate["corespec_metrics"] == {"test": {"mAP/allClasses": 0.9}, "unlabelled": {"loss": 1.0}}
    assert predicate["corespec_deployment"]["url"] == "https://s"
    assert predicate["corespec_run"]["adopted"] is True
    assert predicate["runDetails"]["metadata"]["finishedOn"] == "2026-01-02T03:09:05+00:00"
