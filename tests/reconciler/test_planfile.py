"""A plan that was written down comes back as it was; anything else is refused with one clear sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import InputRejectedError
from reconciler.events import Event, EventKind
from reconciler.exitcode import ExitCode
from reconciler.plan_model import Action, Category, Change, FieldChange, Plan, Stage, StageName
from reconciler.planfile import NOT_SHOWN, Origin, PlanFile, origin, read_plan
from reconciler.report.json import plan_json
from tests.reconciler.builders import ENVIRONMENT, World, configuration, desired
from tests.reconciler.fake import START
from tests.reconciler.project import QUICK, Project

MADE = Origin("c" * 40, True, START, "e" * 64, None)
URL = "https://api.example/v2"


class _Clean:
    commit = "c" * 40
    dirty = False


@pytest.fixture
def made(tmp_path: Path) -> Plan:
    """A first plan: a change of every stage that apply carries out by itself."""
    return World(tmp_path, desired()).plan()


@pytest.fixture
def file(tmp_path: Path, made: Plan) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(plan_json(made, MADE))
    return path


def test_a_plan_comes_back_as_it_was(made: Plan, file: Path) -> None:
    """Its identity is that of its changes, and where it came from is told."""
    found = read_plan(file)
    assert found.plan.digest == made.digest
    assert [change.deed for change in found.plan.changes] == [change.deed for change in made.changes]
    assert (found.environment, found.spec_commit, found.max_launches) == ("local", "c" * 40, None)
    found.check(made, MADE)
    document = json.loads(file.read_text())
    assert document["specs_dirty"] is True
    assert document["live_observed_at"] == START.isoformat()


def test_fields_that_are_absent_on_one_side_come_back(tmp_path: Path) -> None:
    """An absent value is not an empty one."""
    fields = (FieldChange("a", None, ""), FieldChange("b", "", None), FieldChange("c", "x", "y"))
    change = Change("configuration/s/x", Action.CREATE, Category.RETRAIN, "why", "x--1", fields)
    made = Plan("local", (Stage(StageName.CONFIGURE, (change,)),))
    path = tmp_path / "plan.json"
    path.write_text(plan_json(made, MADE))
    assert read_plan(path).plan.changes == (change,)


def test_a_later_minor_version_is_read(file: Path) -> None:
    """Keys are only ever added within a major version."""
    _rewrite(file, lambda d: d.update(format_version="1.9", novelty={"x": 1}))
    assert read_plan(file).environment == "local"


def _rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format_version="2.0"), "another version of corespec: its format is 2.0"),
        (lambda d: d.update(format_version=1), "holds no plan"),
        (lambda d: d.update(kind="Apply"), "holds no plan"),
        (lambda d: d.pop("plan_digest"), "damaged: plan_digest"),
        (lambda d: d.pop("environment_digest"), "damaged: environment_digest"),
        (lambda d: d.update(max_launches=-1), "damaged: max_launches"),
        (lambda d: d["changes"][0].update(action="destroy"), "damaged: changes.0.action"),
        (lambda d: d.update(environment="prod"), "changed after it was made"),
        (lambda d: d["changes"].pop(), "changed after it was made"),
        (lambda d: d["changes"].reverse(), "changed after it was made"),
        (lambda d: d["changes"][-1].update(name="other--0"), "changed after it was made"),
        (lambda d: d["changes"][3]["after"].update(url="ai://x/y"), "changed after it was made"),
        (lambda d: d.update(plan_digest="0" * 64), "changed after it was made"),
    ],
)
def test_another_format_damage_and_changes_by_hand_are_refused(
    file: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    """Exit code 2, what is wrong with it, and how to get a good one."""
    _rewrite(file, change)
    with pytest.raises(InputRejectedError, match=message) as raised:
        read_plan(file)
    assert str(file) in raised.value.message
    assert "corespec plan --out" in raised.value.remedy
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"plan"', b"[" * 100_000, b'{"kind": "Plan"}']
)
def test_what_is_no_plan_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever it is, no traceback."""
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(InputRejectedError, match=r"no plan|damaged"):
        read_plan(path)


def test_a_file_cut_anywhere_is_refused(file: Path) -> None:
    """Half a plan is none."""
    content = file.read_bytes()
    for length in range(0, len(content) - 2, 97):
        file.write_bytes(content[:length])
        with pytest.raises(InputRejectedError, match="damaged"):
            read_plan(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Or a folder in its place."""
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InputRejectedError, match="cannot be read"):
            read_plan(path)


def test_another_environment_is_refused(file: Path) -> None:
    """By its name, and by what it says or leads to."""
    found = read_plan(file)
    with pytest.raises(InputRejectedError, match="for environment local, not for prod"):
        found.check_environment("prod")
    with pytest.raises(InputRejectedError, match="environment local has been changed"):
        found.check(found.plan, replace(MADE, environment_digest="f" * 64))


def test_the_environment_is_where_it_leads_and_what_changes_depend_on() -> None:
    """Another resource group or API is another one; what it says to people and to the daemon is not."""

    def digest(url: str = URL, **other: Any) -> str:
        return origin(ENVIRONMENT.model_copy(update=other), url, _Clean(), START, None).environment_digest

    assert digest() == digest()
    assert digest() != digest(url="https://other.example/v2")
    assert digest() != digest(resource_group="other")
    described = ENVIRONMENT.metadata.model_copy(update={"description": "better said"})
    assert digest(metadata=described) == digest()


def test_a_stale_plan_says_what_differs(tmp_path: Path) -> None:
    """What has gone, what is new, and what has other fields."""
    world = World(tmp_path, desired())
    world.apply()
    world.server.finish()
    world.change(desired([configuration(parameters={"rate": "0.2"})]))
    shown = PlanFile("plan.json", world.plan(), "e" * 64, "", None)
    world.change(desired([configuration(parameters={"rate": "0.3"})]))
    with pytest.raises(InputRejectedError) as raised:
        shown.check(world.plan(), MADE)
    lines = raised.value.message.splitlines()
    assert lines[0].startswith("plan.json is stale")
    assert [line.rpartition(" ")[0].strip() for line in lines[1:]] == [
        "no longer to do: create configuration/meters/baseline",
        "no longer to do: launch execution/meters/baseline",
        "new: create configuration/meters/baseline",
        "new: launch execution/meters/baseline",
    ]


def _plan(*changes: Change) -> Plan:
    return Plan("local", (Stage(StageName.LAUNCH, changes),))


def _step(address: str, action: Action = Action.LAUNCH, name: str = "x--1", *fields: FieldChange) -> Change:
    return Change(address, action, Category.RUN, "", name, fields)


def test_differences_are_never_silent() -> None:
    """Other fields, another order, and a long list that is cut with its rest counted."""

    def said(before: Plan, now: Plan) -> list[str]:
        with pytest.raises(InputRejectedError) as raised:
            PlanFile("p", before, "e" * 64, "", None).check(now, MADE)
        return raised.value.message.splitlines()[1:]

    a, b = _step("execution/s/a"), _step("execution/s/b")
    other = _step("execution/s/a", Action.LAUNCH, "x--1", FieldChange("rate", "1", "2"))
    assert said(_plan(a), _plan(other)) == ["  with other fields: launch execution/s/a x--1"]
    assert said(_plan(a, b), _plan(b, a)) == ["  the order of its changes"]
    many = said(_plan(), _plan(*(_step(f"execution/s/{n}") for n in range(40))))
    assert (len(many), many[-1]) == (11, "  and 30 more")


def test_later_rounds_do_what_was_shown_and_what_it_waited_for() -> None:
    """A step that waited has its name only later; with other specs, or never shown, it is left and told."""
    waits = _step("execution/s/second", Action.WAIT, "")
    file = PlanFile("plan.json", _plan(_step("execution/s/first"), waits), "e" * 64, "", None)
    now = Plan(
        "local",
        (
            Stage(
                StageName.CONFIGURE,
                (_step("configuration/s/second", Action.CREATE, "second--2"), _step("configuration/s/x")),
            ),
            Stage(
                StageName.LAUNCH,
                (
                    _step("execution/s/first"),
                    _step("execution/s/second", Action.LAUNCH, "second--2"),
                    _step("execution/s/third", Action.LAUNCH, "third--3"),
                ),
            ),
        ),
    )
    part = file.part_of(now, same_specs=True)
    assert [change.address for change in part.changes] == [
        "configuration/s/second",
        "execution/s/first",
        "execution/s/second",
    ]
    (warning,) = file.left(now, same_specs=True)
    assert warning.code == NOT_SHOWN
    assert warning.message == "2 changes left alone: plan.json does not show them"
    edited = file.part_of(now, same_specs=False)
    assert [change.address for change in edited.changes] == ["execution/s/first"]
    assert file.left(part, same_specs=True) == ()


def test_a_spec_that_is_edited_meanwhile_is_left_for_the_next_plan(project: Project, tmp_path: Path) -> None:
    """The consent was given for what was shown: nothing else is launched while an apply waits."""
    view = project.session().view()
    path = tmp_path / "plan.json"
    path.write_text(plan_json(view.plan, view.origin))

    def listener(event: Event) -> None:
        if event.kind is EventKind.DONE and event.address.startswith("execution/"):
            project.edit("rate: 0.5", "rate: 0.75")

    result = project.session().apply(QUICK, approved=read_plan(path), listener=listener)
    assert result is not None
    assert [item.action for item in result.applied].count(Action.LAUNCH) == 1
    assert result.exit_code is ExitCode.PENDING
    (warning,) = [problem for problem in result.final.warnings if problem.code == NOT_SHOWN]
    assert warning.message == f"2 changes left alone: {path} does not show them"


def test_a_failed_run_is_retried_within_what_was_shown(project: Project, tmp_path: Path) -> None:
    """`retries` stood in the specs when the plan was made: the same run may start again."""
    project.edit("rate: 0.5", "mode: fail")
    view = project.session().view()
    path = tmp_path / "plan.json"
    path.write_text(plan_json(view.plan, view.origin))
    result = project.session().apply(QUICK, approved=read_plan(path))
    assert result is not None
    assert [item.action for item in result.applied].count(Action.LAUNCH) == 2
    assert result.exit_code is ExitCode.NOT_HEALTHY
