"""Drift is what somebody did by hand: nothing after an apply, and for each deed exactly its own finding."""

from __future__ import annotations

import hashlib
import inspect
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import drifting
from reconciler.aicore import AICore, AICoreWriter
from reconciler.connection import connect_readonly
from reconciler.drift import drift
from reconciler.drift_model import DriftKind, ImageState, Intent, Seen
from reconciler.errors import InputRejectedError, TransientError
from reconciler.survey import survey
from tests.reconciler.builders import (
    EXECUTABLE,
    PATH,
    SCENARIO,
    World,
    configuration,
    desired,
    execution,
    template,
)
from tests.reconciler.driftlab import DOCUMENT, IMAGE, ONE, TWO, Lab, Server
from tests.reconciler.test_serving import served, serving


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_nothing_is_drift_after_an_apply(lab: Lab) -> None:
    """Applied, run to its end, and untouched."""
    assert lab.drift() == ()


def test_nothing_is_drift_while_runs_are_under_way_or_before_anything_exists(tmp_path: Path) -> None:
    """What is not there yet is a plan, not drift."""
    assert Lab(tmp_path / "running", finished=False).drift() == ()
    lab = Lab(tmp_path / "new")
    lab.world.change(desired([configuration(parameters={"rate": "0.9"})]), content={})
    assert [found.kind for found in lab.drift() if found.kind is not DriftKind.EXECUTABLE_CHANGED] == []


Deed = tuple[Callable[[Lab], object], DriftKind, str, str]

DEEDS: dict[str, Deed] = {
    "a run is started": (
        Lab.run_again,
        DriftKind.EXECUTION_STRAY,
        f"configuration/{SCENARIO}/baseline",
        "id-0007",
    ),
    "the run is stopped": (
        Lab.stop_first,
        DriftKind.EXECUTION_STOPPED,
        f"execution/{SCENARIO}/baseline",
        "id-0005",
    ),
    "the run is deleted": (
        Lab.delete_first,
        DriftKind.EXECUTION_DELETED,
        f"execution/{SCENARIO}",
        "id-0005",
    ),
    "a configuration of our name": (
        lambda lab: lab.rebind("rate", "0.2"),
        DriftKind.CONFIGURATION_FOREIGN,
        f"configuration/{SCENARIO}/baseline",
        "parameters.rate",
    ),
    "the repository leads elsewhere": (
        lambda lab: lab.server.repositories["gitops"].update(url="elsewhere"),
        DriftKind.REPOSITORY_CHANGED,
        "repository/gitops",
        "url",
    ),
    "the application follows another path": (
        lambda lab: lab.lead("path", "elsewhere"),
        DriftKind.APPLICATION_CHANGED,
        "application/meter-app",
        "path",
    ),
    "the application follows another revision": (
        lambda lab: lab.lead("revision", "mine"),
        DriftKind.APPLICATION_CHANGED,
        "application/meter-app",
        "revision",
    ),
    "the application follows another repository": (
        lambda lab: lab.lead("repositoryUrl", "elsewhere"),
        DriftKind.APPLICATION_CHANGED,
        "application/meter-app",
        "repositoryUrl",
    ),
    "the resource group has another label": (
        Lab.relabel,
        DriftKind.RESOURCE_GROUP_CHANGED,
        "resource-group/default",
        "labels.ext.ai.sap.com/team",
    ),
    "the object store leads to another bucket": (
        Lab.repoint,
        DriftKind.OBJECT_STORE_CHANGED,
        "object-store-secret/default",
        "storage.ai.sap.com/bucket",
    ),
    "the history is rewritten": (
        lambda lab: lab.branch.foreign.add(lab.server.synced["meter-app"]),
        DriftKind.REVISION_FOREIGN,
        "application/meter-app",
        "syncedRevision",
    ),
    "the executable is another": (
        lambda lab: lab.server.offered[0].update(versionId="0.0.2"),
        DriftKind.EXECUTABLE_CHANGED,
        f"template/{EXECUTABLE}",
        "version",
    ),
    "the executable has another default": (
        lambda lab: lab.server.offered[0]["parameters"][0].update(default="0.9"),
        DriftKind.EXECUTABLE_CHANGED,
        f"template/{EXECUTABLE}",
        "parameters.rate",
    ),
    "the executable is gone": (
        lambda lab: lab.server.offered.clear(),
        DriftKind.EXECUTABLE_CHANGED,
        f"template/{EXECUTABLE}",
        "executable",
    ),
    "a file of the data is larger": (
        lambda lab: (lab.folder / "a.txt").write_text("three and more"),
        DriftKind.DATASET_CHANGED,
        f"dataset/{SCENARIO}/pictures",
        "files/a.txt",
    ),
    "a file is added to the data": (
        lambda lab: (lab.folder / "b.txt").write_text("b"),
        DriftKind.DATASET_EXTRA,
        f"dataset/{SCENARIO}/pictures",
        "files/b.txt",
    ),
    "all data is removed": (
        lambda lab: (lab.folder / "a.txt").unlink(),
        DriftKind.DATASET_MISSING,
        f"dataset/{SCENARIO}/pictures",
        "files",
    ),
    "the mark of the upload is removed": (
        lambda lab: lab.folder.with_name(f"{lab.folder.name}.manifest.json").unlink(),
        DriftKind.DATASET_MISSING,
        f"dataset/{SCENARIO}/pictures",
        "marker",
    ),
    "the tag is moved": (
        lambda lab: setattr(lab, "images", (ImageState(IMAGE, ONE, TWO),)),
        DriftKind.IMAGE_MOVED,
        f"image/{IMAGE}",
        "digest",
    ),
    "the tag is removed": (
        lambda lab: setattr(lab, "images", (ImageState(IMAGE, ONE, None),)),
        DriftKind.IMAGE_MISSING,
        f"image/{IMAGE}",
        "digest",
    ),
    "a template is edited": (
        lambda lab: lab.edit(PATH, b"mine"),
        DriftKind.RENDERED_EDITED,
        "rendered/local",
        f"templates/{EXECUTABLE}.yaml",
    ),
    "a template is added": (
        lambda lab: lab.edit("rendered/local/templates/mine.yaml", b"mine"),
        DriftKind.RENDERED_EDITED,
        "rendered/local",
        "templates/mine.yaml",
    ),
}


@pytest.mark.parametrize("name", DEEDS)
def test_each_deed_is_exactly_its_own_finding(lab: Lab, name: str) -> None:
    """Kind, address and path; what is, what should be and what to do are all said."""
    deed, kind, address, path = DEEDS[name]
    deed(lab)
    (found,) = lab.drift()
    assert (found.kind, found.address, found.path) == (kind, address, path)
    assert all((found.found, found.wanted, found.remedy))


def test_every_kind_has_a_deed() -> None:
    """The closed list is tested whole; those of model servers have a test of their own."""
    servers = {DriftKind.DEPLOYMENT_STOPPED, DriftKind.DEPLOYMENT_STRAY}
    assert {kind for _, kind, _, _ in DEEDS.values()} == set(DriftKind) - servers


INDEPENDENT = [
    "a run is started",
    "a configuration of our name",
    "the executable is another",
    "a file is added to the data",
    "the tag is moved",
    "a template is added",
]


@given(st.lists(st.sampled_from(INDEPENDENT), unique=True), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_deeds_add_up_and_order_is_nothing(names: list[str], chance: random.Random) -> None:
    """Any set of deeds gives the union of their findings, whatever the order in which things are listed."""
    with TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        for name in names:
            DEEDS[name][0](lab)
        found = lab.drift()
        for collection in (lab.server.executions, lab.server.configurations, lab.server.artifacts):
            chance.shuffle(collection)
        assert lab.drift() == found
        assert {(f.kind, f.address) for f in found} == {DEEDS[name][1:3] for name in names}
        assert len(found) == len(names)


def test_a_plan_that_is_pending_is_no_drift(lab: Lab) -> None:
    """A changed parameter, an unpublished template and new data are what apply is for."""
    other = template({**DOCUMENT, "spec": {**DOCUMENT["spec"], "entrypoint": "train"}})
    lab.world.want = desired(
        [configuration(parameters={"rate": "0.3"}, with_template=other)], templates=[other]
    )
    live = lab.world.observe()
    seen = replace(lab.survey(live), explained=frozenset({PATH}))
    assert drift(lab.world.want, live, seen) == ()


def test_a_run_more_is_explained_by_a_spec_of_the_past(lab: Lab) -> None:
    """`want: 2` of an earlier commit made the second run; a third is somebody's."""
    lab.run_again()
    lab.server.finish()
    address = f"configuration/{SCENARIO}/baseline"
    lab.past = {address: (Intent(2),)}
    assert lab.drift() == ()
    lab.server.clock.moment += timedelta(minutes=1)
    lab.run_again()
    assert [found.kind for found in lab.drift()] == [DriftKind.EXECUTION_STRAY]


def test_runs_from_before_rerun_after_are_not_judged(lab: Lab) -> None:
    """They belong to an earlier spec, which need not be known any more."""
    lab.run_again()
    lab.server.finish()
    later = lab.server.clock.now() + timedelta(hours=1)
    one = lab.world.want.configurations[0]
    lab.world.want = replace(lab.world.want, executions=(execution(one, rerun_after=later),))
    assert lab.drift() == ()


def test_tries_after_a_failure_are_ours(tmp_path: Path) -> None:
    """DEAD runs and their retries are no strays."""
    lab = Lab(tmp_path, finished=False)
    lab.server.finish(status="DEAD")
    lab.world.apply()
    lab.server.finish()
    assert lab.drift() == ()


def test_a_run_stopped_after_its_timeout_was_stopped_by_us(tmp_path: Path) -> None:
    """Now, or as an earlier spec had it; stopped earlier than that it was somebody else."""
    made = template(DOCUMENT)
    one = configuration(with_template=made)
    want = desired([one], [execution(one, timeout=timedelta(hours=1))], [made])
    lab = Lab(tmp_path, want, finished=False)
    lab.server.start()
    lab.server.clock.moment += timedelta(minutes=30)
    lab.server.finish(status="STOPPED")
    assert [found.kind for found in lab.drift()] == [DriftKind.EXECUTION_STOPPED]
    lab.past = {one.address: (Intent(1, None, timedelta(minutes=20)),)}
    assert lab.drift() == ()


def test_a_stopped_run_is_no_finding_once_another_has_completed(lab: Lab) -> None:
    """Level-triggered like the rest: what is wanted is there."""
    lab.run_again()
    lab.server.executions[1].update(status="STOPPED", targetStatus="STOPPED")
    assert lab.drift() == ()


def test_a_reading_that_fails_is_an_error_and_no_finding(lab: Lab) -> None:
    """Unreadable is not gone: a store whose folder cannot be listed, an API that does not answer."""
    lab.folder.rename(lab.folder.with_name("away"))
    assert [found.path for found in lab.drift()] == ["files"]
    lab.folder.write_text("a file where a folder was")
    with pytest.raises(InputRejectedError):
        lab.drift()


def test_an_api_that_does_not_answer_ends_the_look(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a part of a report."""

    def away(self: Server, path: str, params: Mapping[str, str]) -> Any:
        raise TransientError("away")

    live = lab.world.observe()
    monkeypatch.setattr(Server, "_read", away)
    with pytest.raises(TransientError):
        lab.survey(live)


def test_somebody_pushed_between_two_looks(lab: Lab) -> None:
    """AI Core was quicker than our fetch: the branch is asked once more before anybody is blamed."""
    revision = lab.server.synced["meter-app"]
    lab.branch.foreign.add(revision)
    lab.branch.fetch = lambda: lab.branch.foreign.discard(revision)  # type: ignore[method-assign]
    assert lab.drift() == ()


def test_drift_holds_a_client_that_cannot_write() -> None:
    """By type: the port of `find_drift` and of `survey` is the one without writing methods."""
    assert inspect.signature(survey).parameters["aicore"].annotation == "AICore"
    assert inspect.signature(connect_readonly).return_annotation == "AICore"
    assert not issubclass(AICore, AICoreWriter)
    writing = {name for name in vars(AICoreWriter) if not name.startswith("_")}
    assert writing
    assert [name for name in writing if hasattr(AICore, name)] == []
    assert "AICoreWriter" not in vars(drifting)
    assert "connect" not in vars(drifting)


def test_looking_sends_no_writing_request(lab: Lab) -> None:
    """By deed as well."""
    lab.run_again()
    before = list(lab.server.writes)
    lab.drift()
    assert lab.server.writes == before


def _server_kinds(world: World) -> list[DriftKind]:
    return [found.kind for found in drift(world.want, world.observe(), Seen({}, {}))]


def test_a_model_server_stopped_by_hand_until_another_serves(tmp_path: Path) -> None:
    """corespec stops none; one with a time to live ends by itself; the next apply starts another."""
    world = served(World(tmp_path, serving("a")))
    assert _server_kinds(world) == []
    world.server.deployments[0].update(status="STOPPED", targetStatus="STOPPED")
    assert _server_kinds(world) == [DriftKind.DEPLOYMENT_STOPPED]
    kept, (server,) = world.want, world.want.deployments
    world.want = replace(kept, deployments=(replace(server, ttl="12h"),))
    assert _server_kinds(world) == []
    world.want = kept
    world.apply()
    assert _server_kinds(world) == []


def test_a_second_model_server_is_somebodys(tmp_path: Path) -> None:
    """The younger one is named."""
    world = served(World(tmp_path, serving("a")))
    (first,) = world.server.deployments
    world.server.clock.moment += timedelta(minutes=1)
    second = world.aicore.create_deployment(first["configurationId"])
    (found,) = drift(world.want, world.observe(), Seen({}, {}))
    assert (found.kind, found.path) == (DriftKind.DEPLOYMENT_STRAY, second)


@pytest.mark.parametrize("by_hand", [False, True])
def test_what_another_version_rendered_is_held_against_its_own_manifest(lab: Lab, by_hand: bool) -> None:
    """A new version of corespec that renders otherwise is nobody's deed."""
    old = b"rendered by an older version"
    document = {
        "tool": {"name": "corespec", "version": "0.0.0"},
        "files": {PATH: hashlib.sha256(old).hexdigest()},
    }
    lab.edit(PATH, old + b", and edited" if by_hand else old)
    lab.edit("rendered/local/manifest.json", json.dumps(document).encode())
    assert [found.kind for found in lab.drift()] == [DriftKind.RENDERED_EDITED] * by_hand
