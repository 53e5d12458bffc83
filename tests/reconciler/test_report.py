"""Reports compared whole with golden files; regenerated with CORESPEC_REGENERATE=1, never in CI."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from generator.spec.operations import Policy
from reconciler.health import Health
from reconciler.live import Metric, Metrics
from reconciler.plan_model import Action, Category, Change, Plan, Problem, Stage, StageName
from reconciler.report.json import lines, plan_json, status_json
from reconciler.report.markdown import LIMIT, plan_markdown, status_markdown
from reconciler.report.text import duration, plan_text, progress_text, status_text, table
from reconciler.status import Status, best, executions_shown, status
from reconciler.watch import PROGRESS, Progress, progress
from tests.reconciler.builders import World, configuration, dataset, desired, template, template_document

GOLDEN = Path(__file__).parent / "golden"


def _matches(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("CORESPEC_REGENERATE"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.fixture
def plans(tmp_path: Path) -> dict[str, Plan]:
    """First, changed, forbidden, stalled and empty."""
    found: dict[str, Plan] = {}
    world = World(tmp_path, desired())
    found["first"] = world.plan()
    world.apply()
    world.server.start()
    world.server.clock.moment += timedelta(minutes=13, seconds=30)
    world.server.finish()
    found["empty"] = world.plan()
    newer = template(template_document("docker.io/acme/digits:2"))
    other = configuration(
        parameters={"rate": "0.2", "seed": "1"}, data=dataset(content="two"), with_template=newer
    )
    world.change(desired([other], templates=[newer]), content={"pictures": "two"})
    found["changed"] = world.plan()
    world.policy = Policy(max_launches_per_apply=0, max_concurrent=1)
    found["forbidden"] = world.plan()
    world.policy = Policy(max_launches_per_apply=9, max_concurrent=9)
    for _ in range(3):
        world.apply()
        world.server.finish(status="DEAD", message="step 900: out of memory")
    found["stalled"] = world.plan()
    return found


@pytest.mark.parametrize("name", ["first", "empty", "changed", "forbidden", "stalled"])
def test_plans_in_every_form(plans: dict[str, Plan], name: str) -> None:
    """Text, markdown and JSON of the same plan."""
    _matches(f"plan-{name}.txt", plan_text(plans[name]))
    _matches(f"plan-{name}.md", plan_markdown(plans[name]))
    _matches(f"plan-{name}.json", plan_json(plans[name]))


def test_the_summary_is_the_last_line(plans: dict[str, Plan]) -> None:
    """So that `tail -1` of a log says what happened."""
    for name, plan in plans.items():
        assert plan_text(plan).splitlines()[-1].startswith("Plan for local: "), name


def test_a_huge_plan_fits_a_comment_and_says_that_it_was_cut() -> None:
    """Bounded in bytes, with a visible mark."""
    changes = tuple(
        Change(f"configuration/s/ä{n}", Action.CREATE, Category.RETRAIN, "x" * 80, f"ä{n}--0")
        for n in range(2000)
    )
    text = plan_markdown(Plan("local", (Stage(StageName.CONFIGURE, changes),)))
    assert len(text.encode()) <= LIMIT
    assert "Truncated" in text
    assert text.rstrip().endswith("```")


def test_markup_of_users_stays_text() -> None:
    """A pipe, a tag or a backtick in a message breaks nothing."""
    made = Plan("local", warnings=(Problem("a", "c", "x | <img> `y`\nz", "w"),))
    assert "<img>" not in plan_markdown(made)
    assert "\\|" in plan_markdown(made)


@pytest.fixture
def states(tmp_path: Path) -> dict[str, Status]:
    world = World(tmp_path, desired())
    found = {"before": status(world.want, world.observe(), {})}
    world.apply()
    world.server.clock.moment += timedelta(minutes=3)
    found["running"] = status(world.want, world.observe(), {})
    world.server.finish()
    world.server.clock.moment += timedelta(hours=2)
    live = world.observe()
    ids = executions_shown(world.want, live)
    tracked = {
        id_: Metrics(id_, (Metric("mAP/allClasses", 0.961, 100, None, {"data_split": "test"}),))
        for id_ in ids
    }
    found["done"] = status(world.want, live, tracked)
    return found


@pytest.mark.parametrize("name", ["before", "running", "done"])
def test_states_in_every_form(states: dict[str, Status], name: str) -> None:
    """Missing, progressing and healthy; age and best metric."""
    _matches(f"status-{name}.txt", status_text(states[name]))
    _matches(f"status-{name}.md", status_markdown(states[name]))
    _matches(f"status-{name}.json", status_json(states[name]))


def test_the_roll_up_is_the_worst(states: dict[str, Status]) -> None:
    """Missing outranks progressing; all healthy is healthy."""
    assert [states[name].health for name in ("before", "running", "done")] == [
        Health.MISSING,
        Health.PROGRESSING,
        Health.HEALTHY,
    ]


def test_the_best_metric_is_that_of_the_most_telling_split() -> None:
    """Test before validation before training, whatever is higher."""

    def metric(value: float, split: str, step: int) -> Metric:
        return Metric("mAP/allClasses", value, step, None, {"data_split": split})

    values = (metric(0.99, "train", 1), metric(0.8, "validation", 1), metric(0.9, "validation", 2))
    assert best(Metrics("e", values)) == 0.9
    assert best(Metrics("e", (*values, metric(0.7, "test", 2)))) == 0.7
    assert best(Metrics("e")) is None
    assert best(None) is None


def test_progress_of_a_running_training(tmp_path: Path) -> None:
    """Step, time left, loss and mAP from the metrics API; a malformed report counts as none."""
    world = World(tmp_path, desired())
    world.apply()
    run = world.observe().executions[0]
    report = {"step": 40, "total_steps": 100, "eta_seconds": 75.2, "fraction": 0.4, "stage": "train"}
    tracked = Metrics(
        run.id,
        (
            Metric("loss", 2.0, 10, None),
            Metric("loss", 1.25, 40, None),
            Metric("mAP/allClasses", 0.5, 20, None),
        ),
        custom_info={PROGRESS: json.dumps(report)},
    )
    world.server.clock.moment += timedelta(seconds=50)
    now = world.server.clock.now()
    look = progress(run, tracked, now)
    assert (look.step, look.loss, look.mean_ap, look.elapsed_seconds) == (40, 1.25, 0.5, 50.0)
    assert (
        progress_text(look)
        == f"{run.configuration_name}  unknown  train  step 40/100  loss 1.250  mAP 0.500  1m15s left"
    )
    for broken in ("{", "[]", '{"step": "many"}', '{"step": true}'):
        assert progress(run, Metrics(run.id, custom_info={PROGRESS: broken}), now).step is None
    assert (
        progress_text(Progress("e", "c--1", "COMPLETED", elapsed_seconds=3700))
        == "c--1  completed  after 1h01m"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-5, "0s"), (59, "59s"), (60, "1m00s"), (3605, "1h00m"), (90000, "1d01h")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    """Two units at most."""
    assert duration(seconds) == text


def test_tables_and_lines() -> None:
    """Columns line up; JSON lines are one document each."""
    assert table([("a", "b"), ("long", "c")]) == "a     b\nlong  c\n"
    assert table([]) == ""
    assert lines([{"b": 1, "a": "ü"}]) == '{"a": "ü", "b": 1}\n'
