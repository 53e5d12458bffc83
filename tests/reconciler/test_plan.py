"""The plan: pure, in order, with a reason for every line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.spec.operations import Policy
from reconciler.desired import Desired
from reconciler.exitcode import ExitCode
from reconciler.explain import differences
from reconciler.live import Configuration as LiveConfiguration
from reconciler.live import Live, TemplateState
from reconciler.plan import plan, unpublished
from reconciler.plan_model import Action, Category, FieldChange, Plan, StageName
from tests.reconciler.builders import (
    EXECUTABLE,
    World,
    at_rest,
    configuration,
    dataset,
    desired,
    execution,
    template,
    template_document,
)
from tests.reconciler.fake import START

POLICY = Policy(max_launches_per_apply=3, max_concurrent=2)


def _actions(made: Plan) -> list[tuple[str, str]]:
    return [(change.action.value, change.address) for change in made.changes]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world in which everything wanted is there and has run."""
    made = World(tmp_path, desired())
    made.apply()
    made.server.finish()
    return made


def test_from_nothing_everything_is_planned_in_the_order_of_the_work(tmp_path: Path) -> None:
    """Onboarding, upload, registration, sync, configuration, launch: the very stages that apply walks."""
    made = World(tmp_path, desired()).plan()
    assert [stage.name for stage in made.stages] == [
        StageName.ONBOARD,
        StageName.UPLOAD,
        StageName.REGISTER,
        StageName.SYNC,
        StageName.CONFIGURE,
        StageName.LAUNCH,
    ]
    assert _actions(made) == [
        ("create", "repository/gitops"),
        ("create", "application/meter-app"),
        ("upload", "dataset/meters/pictures"),
        ("create", "dataset/meters/pictures"),
        ("sync", "template/digits"),
        ("create", "configuration/meters/baseline"),
        ("launch", "execution/meters/baseline"),
    ]
    assert made.exit_code is ExitCode.PENDING
    assert made.summary["launch"] == 1


def test_after_apply_and_a_finished_run_nothing_is_left(world: World) -> None:
    """Converged: no change, exit code 0, and another apply writes nothing."""
    assert world.plan().empty
    assert world.plan().exit_code is ExitCode.CONVERGED
    before = list(world.server.writes)
    world.apply()
    assert world.server.writes == before


def test_what_is_held_takes_nobody_elses_place(tmp_path: Path) -> None:
    """Held executables are planned as if they were not there, and their old configurations not retired."""
    held, free = configuration("held"), replace(configuration("free"), executable="other")
    want = desired([held, free], templates=[template(), replace(template(), executable="other")])
    world = World(tmp_path, want)
    one = Policy(max_launches_per_apply=9, max_concurrent=1)
    both = plan(want, world.observe(), one)
    assert [c.action for c in both.of(StageName.LAUNCH)] == [Action.LAUNCH, Action.WAIT]
    made = plan(want, world.observe(), one, held={EXECUTABLE})
    assert [c.address for c in made.of(StageName.LAUNCH)] == ["execution/meters/free"]
    assert [c.action for c in made.of(StageName.LAUNCH)] == [Action.LAUNCH]
    assert [c.address for c in made.of(StageName.CONFIGURE)] == ["configuration/meters/free"]
    world.apply()
    assert plan(want, world.observe(), one, held={EXECUTABLE, "other"}).retired == ()


def test_the_executables_that_wait_for_a_merge(world: World) -> None:
    """Those whose template on the branch is not the rendered one, and no others."""
    assert unpublished(world.want, world.observe()) == frozenset()
    newer = replace(world.want, templates=(template(template_document("docker.io/acme/digits:2")),))
    world.want = newer
    assert unpublished(newer, world.observe()) == {EXECUTABLE}


def test_a_serving_template_is_explained_field_by_field() -> None:
    """The texts inside of a ServingTemplate are compared as what they hold."""

    def serving(image: str) -> dict[str, Any]:
        body = f"predictor:\n  containers:\n  - name: kserve-container\n    image: {image}\n"
        return {"kind": "ServingTemplate", "spec": {"template": {"spec": body, "other": "a:\n b: : c"}}}

    old = LiveConfiguration("c1", "baseline--000000000000", "meters", EXECUTABLE, START)
    live = Live(observed_at=START, past_templates={old.name: serving("x/y:1")})
    wanted = replace(configuration(), parameters={}, inputs={})
    found = differences(old, wanted, serving("x/y:2"), live)
    path = "template.template.spec.predictor.containers.kserve-container.image"
    assert found == (FieldChange(path, "x/y:1", "x/y:2"),)


def test_a_running_execution_is_no_change(tmp_path: Path) -> None:
    """What is under way may still complete: nothing is launched beside it."""
    world = World(tmp_path, desired())
    world.apply()
    assert world.plan().empty


def test_a_changed_parameter_is_named_with_both_values(world: World) -> None:
    """One new configuration, one launch, the very field that differs; the old one is retired, not pending."""
    world.change(desired([configuration(parameters={"rate": "0.2"})]))
    made = world.plan()
    assert _actions(made) == [
        ("create", "configuration/meters/baseline"),
        ("launch", "execution/meters/baseline"),
    ]
    created = made.changes[0]
    assert created.fields == (FieldChange("parameters.rate", "0.1", "0.2"),)
    assert created.category is Category.RETRAIN
    assert [change.action for change in made.retired] == [Action.RETIRE]


def test_changed_data_is_a_new_upload_artifact_configuration_and_launch(world: World) -> None:
    """The configuration's reason names its input with both fingerprints."""
    other = dataset(content="two")
    world.change(desired([configuration(data=other)]), content={"pictures": "two"})
    made = world.plan()
    assert [action for action, _ in _actions(made)] == ["upload", "create", "create", "launch"]
    fields = made.of(StageName.CONFIGURE)[0].fields
    assert fields == (FieldChange("inputs.datain", dataset().fingerprint[:12], other.fingerprint[:12]),)


def test_a_changed_image_names_the_field_of_the_template(world: World) -> None:
    """The old template is found in Git by the name it gave to the configuration."""
    newer = template(template_document("docker.io/acme/digits:2"))
    world.change(desired([configuration(with_template=newer)], templates=[newer]))
    made = world.plan()
    assert [action for action, _ in _actions(made)] == ["sync", "create", "launch"]
    path = "template.templates.train.container.image"
    fields = made.of(StageName.CONFIGURE)[0].fields
    assert fields == (FieldChange(path, "docker.io/acme/digits:1", "docker.io/acme/digits:2"),)
    assert made.of(StageName.SYNC)[0].category is Category.RETRAIN


def test_a_title_is_synced_and_trains_nothing(world: World) -> None:
    """Metadata of a template changes no configuration."""
    document = template_document() | {"metadata": {"name": EXECUTABLE, "annotations": {"title": "Digits"}}}
    world.change(desired(templates=[template(document)]))
    made = world.plan()
    assert _actions(made) == [("sync", "template/digits")]
    assert made.changes[0].category is Category.METADATA


def test_everything_put_back_launches_nothing(world: World) -> None:
    """The first configuration and its completed run are found again."""
    first = world.want
    world.change(desired([configuration(parameters={"rate": "0.2"})]))
    world.apply()
    world.server.finish()
    world.change(first)
    assert world.plan().empty


def test_the_same_name_with_other_bindings_is_a_conflict(world: World) -> None:
    """Never close enough: exit 2, before any call."""
    world.server.configurations[0]["parameterBindings"] = [{"key": "rate", "value": "0.9"}]
    made = world.plan()
    assert [problem.code for problem in made.errors] == ["conflict"]
    assert made.exit_code is ExitCode.REJECTED


def test_a_display_name_proves_nothing_about_an_artifact(world: World) -> None:
    """An artifact of the same name without our label is somebody else's: the dataset is registered anew."""
    world.server.artifacts[0]["labels"] = []
    assert ("create", "dataset/meters/pictures") in _actions(world.plan())


def test_a_duplicate_artifact_of_the_same_content_is_good_enough(world: World) -> None:
    """A configuration may be bound to any artifact that holds the wanted content."""
    twin = dict(world.server.artifacts[0], id="id-9999", createdAt="2026-01-01T00:00:00Z")
    world.server.artifacts.append(twin)
    assert world.plan().empty


def test_what_ai_core_cannot_change_is_a_conflict_and_what_it_can_is_an_update(tmp_path: Path) -> None:
    """A repository keeps its URL for ever; an application of the environment's name is led back."""
    world = World(tmp_path, desired())
    world.server.repositories["gitops"] = {"name": "gitops", "url": "elsewhere", "status": "COMPLETED"}
    world.server.applications["meter-app"] = {
        "applicationName": "meter-app",
        "repositoryUrl": "elsewhere",
        "path": "other",
        "revision": "main",
    }
    made = world.plan()
    assert [problem.address for problem in made.errors] == ["repository/gitops"]
    led = next(change for change in made.changes if change.address == "application/meter-app")
    assert (led.action, [(field.path, field.before) for field in led.fields]) == (
        Action.UPDATE,
        [("path", "other"), ("repositoryUrl", "elsewhere")],
    )


def test_an_application_may_bear_the_tenants_prefix(world: World) -> None:
    """AI Core may answer with another name than it was given; path and branch tell whether it is ours."""
    record = world.server.applications.pop("meter-app")
    world.server.applications["t1-meter-app"] = record | {"applicationName": "t1-meter-app"}
    world.server.synced["t1-meter-app"] = world.server.head
    assert world.plan().empty


def test_a_stale_branch_is_said_before_anything_else(world: World) -> None:
    """What AI Core would sync is not what the specs render: render and publish come first."""
    world.git.files[world.git.head, world.want.templates[0].path] = b"old"
    made = world.plan()
    assert made.stages[0].name is StageName.PUBLISH


def test_too_many_launches_forbid_the_whole_plan(tmp_path: Path) -> None:
    """The guard counts every launch that the specs ask for, held back or not, and names the flag."""
    sweep = [configuration(f"sweep-{n}", {"rate": str(n)}) for n in range(4)]
    made = World(tmp_path, desired(sweep), policy=POLICY).plan()
    assert [problem.code for problem in made.errors] == ["policy"]
    assert "--max-launches 4" in made.errors[0].remedy
    assert made.exit_code is ExitCode.REJECTED


def test_concurrency_holds_launches_back(tmp_path: Path) -> None:
    """Two at a time for the environment, one at a time for a group: the rest waits and stays pending."""
    sweep = [configuration(f"sweep-{n}", {"rate": str(n)}) for n in range(3)]
    made = World(tmp_path, desired(sweep), policy=POLICY).plan()
    assert [change.action for change in made.of(StageName.LAUNCH)] == [
        Action.LAUNCH,
        Action.LAUNCH,
        Action.WAIT,
    ]
    runs = [execution(c, max_parallel=1, group="sweep") for c in sweep]
    made = World(tmp_path, desired(sweep, runs), policy=POLICY).plan()
    assert [change.action for change in made.of(StageName.LAUNCH)] == [
        Action.LAUNCH,
        Action.WAIT,
        Action.WAIT,
    ]
    assert "maxParallel" in made.of(StageName.LAUNCH)[1].reason


def test_only_our_own_objects_are_retired(world: World) -> None:
    """Configurations without a content hash and artifacts without our label belong to somebody else."""
    mine = world.server.configurations[0]
    world.server.configurations.append(dict(mine, id="id-8000", name="by-hand"))
    world.server.configurations.append(dict(mine, id="id-8001", name="old--0123456789ab"))
    world.server.artifacts.append(
        dict(world.server.artifacts[0], id="id-8002", labels=[], url="ai://default/x")
    )
    assert [change.name for change in world.plan().retired] == ["old--0123456789ab"]


def _everything() -> Desired:
    wanted = [configuration(f"c{n}", {"rate": str(n)}, dataset(f"d{n % 2}")) for n in range(4)]
    return desired(wanted)


@given(st.randoms(use_true_random=False))
def test_the_order_of_desired_and_live_does_not_matter(random) -> None:  # type: ignore[no-untyped-def]
    """Shuffled input gives the very same plan, digest included."""
    want = _everything()
    live = Live(observed_at=START, templates={EXECUTABLE: TemplateState(synced=True, published=True)})
    shuffled = {
        name: tuple(random.sample(getattr(want, name), len(getattr(want, name))))
        for name in ("datasets", "configurations", "executions")
    }
    first = plan(want, live, Policy(max_launches_per_apply=9))
    second = plan(replace(want, **shuffled), live, Policy(max_launches_per_apply=9))
    assert first == second
    assert first.digest == second.digest


_VALUES = st.dictionaries(st.sampled_from(["rate", "steps", "seed"]), st.sampled_from("0123"), min_size=1)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), _VALUES, st.sampled_from(["one", "two"])), min_size=1, max_size=4
    )
)
def test_apply_then_plan_is_empty_whatever_the_specs_were(tmp_path_factory, history) -> None:  # type: ignore[no-untyped-def]
    """A walk through arbitrary edits: after each apply nothing is left, and no content is created twice."""
    world = World(tmp_path_factory.mktemp("walk"), desired())
    for name, values, content in history:
        data = dataset(content=content)
        world.change(desired([configuration(name, values, data)]), content={"pictures": content})
        world.apply()
        world.server.finish()
        assert world.plan().empty
    names = [c["name"] for c in world.server.configurations]
    assert len(names) == len(set(names))
    assert len(world.server.executions) == len(names)
    urls = [a["url"] for a in world.server.artifacts]
    assert len(urls) == len(set(urls))
    assert at_rest(world)[0] == ["gitops"]


def test_what_was_confirmed_covers_what_ai_core_has_done_meanwhile(tmp_path: Path) -> None:
    """A sync that ended and a slot that became free need no second look; another configuration does."""
    sweep = [configuration(f"sweep-{n}", {"rate": str(n)}) for n in range(3)]
    world = World(tmp_path, desired(sweep), policy=POLICY)
    shown = world.plan()
    world.policy = Policy(max_launches_per_apply=3, max_concurrent=3)
    world.server.applications["meter-app"] = {
        "applicationName": "meter-app",
        "repositoryUrl": "url",
        "path": "rendered/local/templates",
        "revision": "main",
    }
    world.server.synced["meter-app"] = world.server.head
    now = world.plan()
    assert now.digest != shown.digest
    assert now.within(shown)
    world.change(desired([*sweep, configuration("more")]))
    assert not world.plan().within(shown)
