"""What no spec owns: found, named, claimed by somebody else, or left with a reason. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from generator.catalog import Workflow, load_catalog
from generator.spec.document import Scenario
from reconciler.desired import DATASET_LABEL, FINGERPRINT_LABEL, Desired, Onboarding
from reconciler.live import Artifact, Configuration, Deployment, Executable, Execution, Live
from reconciler.unmanaged import unmanaged
from reconciler.unmanaged_model import Unmanaged
from tests.reconciler.fake import START
from tests.reconciler.project import CATALOG

DESIRED = Desired("local", Onboarding("default", "g", "u", "a", "p", "main"), (), (), (), ())


def _scenario(**sections: Any) -> Scenario:
    executable = {"workflow": "stub-train", "image": "docker.io/acme/stub:1", "resourcePlan": "starter"}
    document = {
        "apiVersion": "corespec/v1",
        "kind": "Scenario",
        "metadata": {"name": "meters"},
        "executables": {"stub-x": executable},
    }
    return Scenario.model_validate({**document, **sections})


@pytest.fixture(scope="module")
def catalog() -> dict[str, Workflow]:
    return dict(load_catalog([CATALOG]))


def _artifact(id_: str = "art-1", **more: Any) -> Artifact:
    return replace(Artifact(id_, "Rough", "dataset", f"ai://default/{id_}", "meters", START), **more)


def _configuration(id_: str = "conf-1", name: str = "Mine", **more: Any) -> Configuration:
    made = Configuration(id_, name, "meters", "stub-x", START, {"rate": "1e-1"}, {"datain": "art-1"})
    return replace(made, **more)


def _run(id_: str, status: str, configuration: str = "conf-1", target: str = "COMPLETED") -> Execution:
    return Execution(id_, configuration, "Mine", "meters", "stub-x", status, target, START, START)


def _server(status: str = "RUNNING") -> Deployment:
    return Deployment("dep-1", "conf-1", "Mine", "meters", "theirs-x", status, status, START, START)


def _find(
    catalog: dict[str, Workflow], live: Live, spec: Scenario | None = None, *offered: Executable
) -> Unmanaged:
    return unmanaged(spec or _scenario(), DESIRED, live, offered, catalog)


def _live(**more: Any) -> Live:
    held: dict[str, Any] = {"artifacts": (_artifact(),), "configurations": (_configuration(),)}
    return Live(observed_at=START, **{**held, **more})


def test_names_are_legal_and_free(catalog: dict[str, Workflow]) -> None:
    """Equal names, capitals, double hyphens, words without a letter: the oldest gets the plain one."""
    several = [
        _configuration(f"conf-{n}", name)
        for n, name in enumerate(("My--Run", "my run!", "Ünï", "???", "x" * 90))
    ]
    spec = _scenario(configurations={"my-run-2": {"executable": "stub-x", "inputs": {"datain": "d"}}})
    found = _find(catalog, _live(configurations=tuple(several)), spec)
    assert list(found.entries["configurations"]) == ["my-run", "my-run-3", "n", "unnamed", "x" * 50]
    assert Scenario.model_validate(
        {**_scenario().model_dump(by_alias=True, exclude_defaults=True), **found.entries}
    )


@pytest.mark.parametrize(
    ("statuses", "entry"),
    [
        (["COMPLETED", "COMPLETED", "DEAD"], {"configuration": "mine"}),
        (["RUNNING"], {"configuration": "mine"}),
        (["DEAD", "STOPPED"], {"configuration": "mine", "want": 0}),
        ([], None),
    ],
)
def test_no_edit_would_start_more_than_one_run(
    catalog: dict[str, Workflow], statuses: list[str], entry: dict[str, Any] | None
) -> None:
    """However often it was run; and what only failed is wanted by nobody."""
    runs = tuple(_run(f"e{n}", status) for n, status in enumerate(statuses))
    found = _find(catalog, _live(executions=runs))
    assert found.entries["executions"].get("mine") == entry
    assert [one.id for one in found.objects if one.kind == "execution"] == [run.id for run in runs]


def test_somebody_elses_label_is_told(catalog: dict[str, Workflow]) -> None:
    """At the data, and at what reads it: configurations have no labels of their own."""
    labels = {"ext.ai.sap.com/owned-by": "team-b"}
    found = _find(catalog, _live(artifacts=(_artifact(labels=labels),)))
    assert {one.kind: one.owner for one in found.objects} == {
        "artifact": "ext.ai.sap.com/owned-by=team-b",
        "configuration": "ext.ai.sap.com/owned-by=team-b",
    }


def test_what_corespec_has_made_is_not_adopted(catalog: dict[str, Workflow]) -> None:
    """Data and configurations of an earlier spec, or of another project: its spec brings them back."""
    data = _artifact("art-2", labels={DATASET_LABEL: "words", FINGERPRINT_LABEL: "f" * 64})
    made = _configuration("conf-2", "baseline--0123456789ab", inputs={"datain": "art-2"})
    reads = _configuration("conf-3", "Reads theirs", inputs={"datain": "art-2"})
    found = _find(catalog, _live(artifacts=(data,), configurations=(made, reads)))
    assert {one.id: one.reason.partition(",")[0] for one in found.left} == {
        "art-2": "corespec uploaded it as `words`",
        "conf-2": "corespec made it for `baseline`",
    }
    assert found.entries["configurations"]["reads-theirs"]["inputs"] == {"datain": "rough"}
    assert {one.owner for one in found.objects if one.id == "conf-3"} == {f"{DATASET_LABEL}=words"}


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        (_configuration(parameters={"rate": "1000"}), "at most 100"),
        (_configuration(parameters={"colour": "red"}), "no parameter of this name"),
        (_configuration(parameters={"mode": "${HOME}"}), "not expanded"),
        (_configuration(parameters={"API_KEY": "x"}), "sounds like a secret"),
        (_configuration(inputs={}), "`datain` of the workflow is missing"),
        (_configuration(inputs={"datain": "art-9"}), "which is none of this scenario"),
    ],
)
def test_what_no_spec_can_say_is_left(
    catalog: dict[str, Workflow], configuration: Configuration, said: str
) -> None:
    """The whole reason, in words of the spec; nothing of it is written."""
    found = _find(catalog, _live(configurations=(configuration,)))
    assert [one.id for one in found.left] == ["conf-1"]
    assert said in found.left[0].reason
    assert found.entries["configurations"] == {}


def test_a_default_of_their_template_is_written_down(catalog: dict[str, Workflow]) -> None:
    """What the run left open was decided by AI Core's template, not by our workflow's default."""
    offered = Executable("stub-x", "meters", "", "", {"mode": "fail", "rate": "9", "other": "x"})
    found = _find(catalog, _live(), None, offered)
    assert found.entries["configurations"]["mine"]["parameters"] == {"mode": "fail", "rate": "1e-1"}
    same = _find(catalog, _live(), None, replace(offered, parameters={"mode": "work", "rate": ""}))
    assert same.entries["configurations"]["mine"]["parameters"] == {"rate": "1e-1"}


def test_servers_and_the_models_that_they_serve(catalog: dict[str, Workflow]) -> None:
    """Of anybody's executable: with the output as an artifact; one that has ended is left, its model too."""
    model = _artifact("art-1", name="model", kind="model", execution="exec-1")
    served = _configuration(executable="theirs-x", inputs={"models": "art-1"}, parameters={"n": "01"})
    found = _find(catalog, _live(artifacts=(model,), configurations=(served,), deployments=(_server(),)))
    assert found.entries["deployments"]["mine"] == {
        "executable": "theirs-x",
        "adopt": {"id": "dep-1", "configuration": "conf-1"},
        "observe": True,
        "inputs": {"models": {"dataset": "model-of-exec-1"}},
        "parameters": {"n": "01"},
    }
    ended = _find(
        catalog, _live(artifacts=(model,), configurations=(served,), deployments=(_server("STOPPED"),))
    )
    assert [(one.kind, one.id) for one in ended.left] == [("deployment", "dep-1")]
    assert ended.objects == ()
    assert not any(ended.entries.values())
