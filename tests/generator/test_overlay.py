"""One scenario, several places: what an environment changes, and what it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from generator.catalog import Workflow
from generator.project import load_project
from generator.spec.resolve import Resolved, ResolvedExecutable, resolve

PLACES = Path(__file__).parent / "testdata" / "valid" / "places"


@pytest.fixture
def places(catalog: Mapping[str, Workflow]) -> Mapping[str, Resolved]:
    """The same scenario, resolved for each of its environments."""
    project = load_project(PLACES, catalog)
    return {name: resolve(project, name, catalog) for name in project.environments}


def executable(resolved: Resolved, name: str) -> ResolvedExecutable:
    return next(item for item in resolved.executables if item.id == name)


def test_every_place_has_all_executables(places: Mapping[str, Resolved]) -> None:
    for resolved in places.values():
        assert len(resolved.executables) == 5


def test_a_short_image_lies_in_the_registry_of_its_place(places: Mapping[str, Resolved]) -> None:
    """And the place's secret pulls it; a slash at the end of the registry is none too many."""
    found = {name: executable(resolved, "meter-types") for name, resolved in places.items()}
    assert {name: (item.image, item.spec.image_pull_secret) for name, item in found.items()} == {
        "dev": ("localhost:5000/dev/meter-types:1.2.0", "dev-docker"),
        "staging": ("registry.example.com/staging/meter-types:1.2.0", "staging-docker"),
        "prod": ("registry.example.com/prod/meter-types:1.2.0", "prod-docker"),
    }


def test_a_whole_image_is_left_where_it_is(places: Mapping[str, Resolved]) -> None:
    reader = executable(places["prod"], "meter-reader")
    assert (reader.image, reader.spec.image_pull_secret) == ("quay.example.com/serving/reader:1.2.0", "quay")


def test_a_locked_image_runs_by_its_digest_and_is_built_by_its_tag(places: Mapping[str, Resolved]) -> None:
    item = executable(places["prod"], "digit-detection")
    assert item.image_reference == "registry.example.com/prod/digit-detection:1.2.0"
    assert item.image == f"{item.image_reference}@sha256:{'1' * 64}"
    unlocked = executable(places["dev"], "digit-detection")
    assert unlocked.image == unlocked.image_reference


def test_a_machine_size_takes_the_place_of_the_other_kind(places: Mapping[str, Resolved]) -> None:
    dev, prod = (executable(places[name], "digit-detection").spec for name in ("dev", "prod"))
    assert (dev.instance_type, dev.resource_plan, dev.uses_gpu) == ("m5.xlarge", None, False)
    assert (prod.instance_type, prod.resource_plan, prod.uses_gpu) == (None, "train.l", True)


def test_what_an_override_gives_replaces_and_what_it_leaves_out_stays(
    places: Mapping[str, Resolved],
) -> None:
    dev, prod = (executable(places[name], "digit-detection").spec for name in ("dev", "prod"))
    assert (dev.shared_memory, dev.volumes, dev.active_deadline) == ("1Gi", {}, prod.active_deadline)
    assert dev.retry is not None
    assert (dev.retry.limit, dev.retry.backoff) == (1, None)
    assert set(prod.volumes) == {"scratch"}


def test_the_base_image_follows_the_gpu_and_the_place(places: Mapping[str, Resolved]) -> None:
    standard = "python:3.11-slim-bookworm"
    found = {
        (name, item): executable(places[name], item).base_image
        for name in ("dev", "staging")
        for item in ("digit-detection", "meter-batch")
    }
    assert found == {
        ("dev", "digit-detection"): standard,
        ("dev", "meter-batch"): standard,
        ("staging", "digit-detection"): standard,
        ("staging", "meter-batch"): "mirror.example.com/python:3.11-slim",
    }


def test_parameters_of_one_configuration_differ(places: Mapping[str, Resolved]) -> None:
    """The matrix of another configuration is untouched."""
    steps = {
        (place, item.name): (item.parameters["maximum_training_steps"], item.parameters["batch_size"])
        for place, resolved in places.items()
        for item in resolved.configurations
        if item.name == "baseline" or item.name.startswith("sweep")
    }
    assert steps["dev", "baseline"] == ("50", "4")
    assert steps["prod", "baseline"] == ("5000", "12")
    assert steps["dev", "sweep.batch_size-8"] == steps["prod", "sweep.batch_size-8"] == ("3000", "8")


def test_runs_are_wanted_differently(places: Mapping[str, Resolved]) -> None:
    wanted = {
        place: {item.group: (item.want, item.retries, item.timeout_seconds) for item in resolved.executions}
        for place, resolved in places.items()
    }
    assert wanted["dev"]["sweep"] == (0, 2, None)
    assert wanted["dev"]["baseline"] == (1, 0, 600)
    assert wanted["prod"]["sweep"] == (1, 2, None)
