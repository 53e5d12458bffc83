"""The steps of the demo, each printed as the command a user would type, each safe to repeat."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from corespec import localserver, output
from corespec.demo import shell
from corespec.demo.dataset import check_folder, guess_splits
from corespec.demo.reading import read_pictures
from corespec.demo.repository import prepare
from corespec.demo.scenario import parameters
from corespec.demo.workspace import HOME, Workspace, workspace
from corespec.errors import CommandError
from reconciler.exitcode import ExitCode
from reconciler.live import Execution
from reconciler.session import open_session

#: Counters that the demo draws.
PICTURES = 800


def demo(data: Path | None) -> int:
    """Go the whole way, or what is left of it; raises CommandError where a step fails."""
    place = workspace(data)
    source = data if data is not None else place.drawings
    _introduce(place)
    if data is not None:
        check_folder(data)
        _check(data)
    else:
        _draw(place)
    _step("A Git repository with specs")
    prepare(place, source, own=data is not None)
    _step("The AI Core of this machine")
    shell.run("corespec", "local", "up", "-C", place.project, log=place.local / "localcore.log")
    execution = _train(place)
    _step("What it measured")
    shell.run("corespec", "metrics", "-C", place.project)
    _step("Reading pictures it has never seen")
    model = model_folder(place, execution)
    read_pictures(place, source, model)
    _step("Where to look next")
    output.say(_next(place, execution, model))
    return ExitCode.CONVERGED


def clean(home: Path = HOME) -> int:
    """Stop every local AI Core of the demos and remove all they wrote."""
    for data in (home / "local", *home.glob("*/local")):
        localserver.stop(data)
    shutil.rmtree(home, ignore_errors=True)
    output.say(f"{home} is gone.")
    return ExitCode.CONVERGED


def model_folder(place: Workspace, execution: Execution) -> Path:
    """Where the trained model lies: the object store `default` is a folder of the local AI Core."""
    for artifact in execution.outputs:
        if artifact.kind == "model":
            return place.local / "objects" / "default" / artifact.url.removeprefix("ai://default/")
    raise CommandError(
        f"execution {execution.id} has registered no model",
        remedy=f"Read what it printed: corespec logs -C {place.project}",
        code=ExitCode.FAILURE,
    )


def _introduce(place: Workspace) -> None:
    programs = Path(os.path.relpath(Path(sys.prefix) / "bin"))
    output.say(f"Corespec demo in {place.root}: from a spec to a trained detector on this machine.")
    output.say(f"Lines with $ are commands; `corespec` and `python` are those of {programs}.")


def _draw(place: Workspace) -> None:
    _step("Pictures of meters")
    if (place.drawings / "readings.csv").is_file():
        output.say(f"{place.drawings} is there already.")
        return
    shutil.rmtree(place.drawings, ignore_errors=True)  # half of an interrupted drawing
    place.root.mkdir(parents=True, exist_ok=True)
    shell.run("python", "-m", "trainer", "draw-counters", place.drawings, "--count", str(PICTURES))


def _check(data: Path) -> None:
    _step("Your pictures")
    values = parameters(guess_splits(data), own=True)
    words = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    shell.run("python", "-m", "trainer", "check", "object-detection-train", "--datain", data, *words)


def _train(place: Workspace) -> Execution:
    """Plan and reconcile; the completed execution of the spec's configuration."""
    _step("Plan: what follows from the specs")
    code = shell.run("corespec", "plan", "-C", place.project, accept=(0, 3, 4))
    session = open_session(place.project, "local")
    runs = session.executions() if code == ExitCode.CONVERGED else ()
    if runs and runs[0].status == "COMPLETED":
        output.say(_why_not(runs[0], place))
        return runs[0]
    _step("Reconcile: render, push, sync, upload, train")
    code = shell.run("corespec", "reconcile", "--once", "-C", place.project, accept=(0, 4))
    latest = session.executions()[0]
    if code or latest.status != "COMPLETED":
        raise CommandError(
            f"the training ended as {latest.status}: {latest.message}",
            remedy=f"Read what it printed: corespec logs -C {place.project}",
            code=ExitCode.NOT_HEALTHY,
        )
    return latest


def _why_not(run: Execution, place: Workspace) -> str:
    return (
        f"Converged, so nothing is trained: execution {run.id} of configuration {run.configuration_name} is\n"
        f"COMPLETED, and template, data and parameters are those it ran with. Change a parameter in\n"
        f"{place.project}/specs/{place.scenario}.yaml, commit and push, and the plan will name it."
    )


def _next(place: Workspace, execution: Execution, model: Path) -> str:
    where = place.project
    rows = {
        f"corespec console -C {where}": "a page with states, logs and charts",
        f"corespec status -C {where}": "what is in sync and healthy",
        f"corespec logs -C {where}": f"what execution {execution.id} printed",
        f"{where}/specs/{place.scenario}.yaml": "edit, commit, push, then: corespec reconcile --once",
        f"{model}/report.html": "what came of the training: curves, thresholds, the worst pictures",
        f"{model}/": "weights, ONNX, model.json and the charts as files",
        f"{place.reading}": "the picture that was read",
        "docs/": "concepts, spec reference, decisions",
        f"corespec local down -C {where}": "stop the local AI Core; make clean-demo removes it all",
    }
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {meaning}" for name, meaning in rows.items())


def _step(title: str) -> None:
    output.say(f"\n── {title} " + "─" * max(0, 72 - len(title)))
