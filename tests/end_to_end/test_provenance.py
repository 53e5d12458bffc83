"""Where a model comes from, and what happened to it: from a real apply, through Git and AI Core."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.end_to_end.world import World, corespec, git


def _provenance(world: World, name: str, *options: str) -> dict[str, Any]:
    result = world.run("provenance", name, "-o", "json", *options)
    assert result.code == 0, result.err
    return result.document


def _dependencies(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in document["predicate"]["buildDefinition"]["resolvedDependencies"]}


def _execution(world: World) -> str:
    rows = world.run("status", "-o", "json").document["rows"]
    return str(next(row["execution"] for row in rows if row["address"].startswith("execution/")))


def _events(world: World, address: str) -> list[dict[str, Any]]:
    result = corespec("events", address, "-C", world.project, "-o", "json")
    assert result.code == 0, result.err
    found: list[dict[str, Any]] = result.document["events"]
    return found


@pytest.fixture
def trained(world: World) -> World:
    assert world.converge().code == 0
    return world


def test_every_part_of_a_model_is_named(trained: World) -> None:
    """Commit, spec and its digest, data, image, template, parameters, times, and the bytes themselves."""
    world = trained
    spec = world.scenario.read_bytes()
    commit = git("rev-list", "--max-parents=0", "HEAD", cwd=world.project).strip()
    run = _execution(world)
    # What comes later changes nothing of where the model came from.
    world.edit(world.scenario, "base_learning_rate: 0.001", "base_learning_rate: 0.004")
    world.push("Learn faster")
    found = _provenance(world, run)
    assert (found["_type"], found["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    stored = world.local / "objects" / "default" / run / "model"
    files = {f"model/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in stored.iterdir()}
    assert {one["name"]: one["digest"]["sha256"] for one in found["subject"]} == files
    assert len(files) == 4
    parts = _dependencies(found)
    assert parts["spec"]["digest"] == {"gitCommit": commit, "sha256": hashlib.sha256(spec).hexdigest()}
    assert parts["spec"]["annotations"]["path"] == "specs/tiny.yaml"
    manifest = json.loads((world.project / "rendered" / "local" / "manifest.json").read_text())
    (fingerprint,) = manifest["templates"].values()
    assert parts["template"]["digest"]["corespecTemplate"] == fingerprint
    assert parts["image"]["uri"] == "oci://docker.io/acme/tiny:0.0.1"
    data = parts["input:datain"]
    assert data["uri"].endswith(data["digest"]["corespecManifest"][:12])
    predicate = found["predicate"]
    assert predicate["buildDefinition"]["externalParameters"]["parameters"]["base_learning_rate"] == "0.001"
    details = predicate["runDetails"]
    assert details["metadata"]["invocationId"] == run
    assert details["metadata"]["startedOn"] <= details["metadata"]["finishedOn"]
    assert details["builder"]["version"] == {"corespec": manifest["tool"]["version"]}
    assert predicate["corespec_unknown"] == []
    model = next(one["annotations"]["artifactId"] for one in found["subject"])
    assert _provenance(world, model) == found, "by its id as well"
    short = _provenance(world, run, "--no-hashes")
    assert [one["digest"] for one in short["subject"]] == [{}]
    text = world.run("provenance", run).out
    assert f"specs/tiny.yaml at {commit[:10]}" in text
    assert "parameter base_learning_rate" in text


def test_a_name_that_means_nothing(trained: World) -> None:
    """One error that lists what there is."""
    for name in ("nothing", "deployment/x/y"):
        refused = trained.run("provenance", name)
        assert refused.code == 2
        assert "Known by name" in refused.err
    assert _provenance(trained, "baseline")["predicate"]["corespec_run"]["status"] == "COMPLETED"


def test_what_happened_is_kept(trained: World) -> None:
    """Each deed with its commit; a second apply adds nothing; a part of the addresses; nothing elsewhere."""
    address = f"execution/{trained.name}/baseline"
    result = _events(trained, address)
    assert [(one["reason"], one["count"]) for one in result] == [("Launched", 1), ("Completed", 1)]
    head = git("rev-parse", "HEAD", cwd=trained.project).strip()
    assert {one["revision"] for one in result} == {head}
    assert {one["object"] for one in _events(trained, "execution")} == {address}
    before = (trained.project / ".corespec" / "events.jsonl").read_bytes()
    assert trained.run("apply", "--yes").code == 0
    assert (trained.project / ".corespec" / "events.jsonl").read_bytes() == before
    assert _events(trained, "deployment") == []
