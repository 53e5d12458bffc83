"""``python -m trainer``: what the container runs, and the same checks on any machine.

Only the verbs that train or predict load torch; the others run on a bare machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from trainer.errors import InputError, ParameterError, TrainerError
from trainer.parameters.show import describe
from trainer.training.process import process_rank
from trainer.workflows import WORKFLOWS, Workflow

CHECKED = ("object-detection-train", "image-classification-train", "triplet-distance-learning-train")
Verb = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the process's exit code; the last line on stderr says what went wrong."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["predict"]:  # has a parser of its own
        return _guarded(lambda: _predict(arguments[1:]))
    options = _parser().parse_args(arguments)
    verb: Verb = options.verb
    return _guarded(lambda: verb(options))


def _guarded(call: Callable[[], int]) -> int:
    try:
        return call()
    except TrainerError as error:
        problems: tuple[str, ...] = getattr(error, "problems", ())
        for problem in problems if len(problems) > 1 else ():
            print(problem, file=sys.stderr)
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    for workflow in WORKFLOWS.values():
        runner = verbs.add_parser(workflow.name, aliases=workflow.aliases, help=workflow.help)
        workflow.add_arguments(runner)
        _add_set(runner)
        runner.set_defaults(verb=_run, workflow=workflow.name)

    check = verbs.add_parser("check", help="read a whole dataset and name every fault")
    check.add_argument("workflow", choices=CHECKED)
    check.add_argument("--datain", type=Path, required=True, help="the dataset")
    check.add_argument("--strict", action="store_true", help="refuse bad pictures, whatever bad_data says")
    _add_set(check)
    _add_output(check)
    check.set_defaults(verb=_check)

    parameters = verbs.add_parser("parameters", help="show the parameters of a workflow and their values")
    parameters.add_argument("workflow", choices=tuple(WORKFLOWS))
    _add_set(parameters)
    _add_output(parameters)
    parameters.set_defaults(verb=_parameters)

    draw = verbs.add_parser("draw-counters", help="draw a Pascal VOC folder of meter counters")
    draw.add_argument("folder", type=Path, help="a folder that is empty or does not exist yet")
    draw.add_argument("--count", type=int, default=800, help="pictures, 10 at least (default: 800)")
    draw.add_argument("--seed", type=int, default=1337, help="same seed, same bytes (default: 1337)")
    draw.set_defaults(verb=_draw_counters)

    show = verbs.add_parser("show-augmentations", help="a sheet of training pictures as they are changed")
    show.add_argument("--datain", type=Path, required=True, help="the dataset of a detector")
    show.add_argument("sheet", type=Path, help="the PNG to write")
    _add_set(show)
    show.set_defaults(verb=_show_augmentations)

    report = verbs.add_parser("report", help="write the report of a trained model (again)")
    report.add_argument("folder", type=Path, help="the model folder a training wrote")
    report.set_defaults(verb=_report)

    verbs.add_parser("predict", help="find objects in pictures with a trained model", add_help=False)
    return parser


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter; goes before the environment variable TRAINER_<NAME>",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")


def _values(workflow: Workflow, options: argparse.Namespace) -> dict[str, str]:
    """The parameters that were given, as text: from the environment, then from the command line."""
    values = workflow.table.from_environment(os.environ)
    if getattr(options, "models", None) is not None:
        values.setdefault("models", options.models)
    for assignment in options.set:
        name, separator, value = assignment.partition("=")
        if not separator:
            raise ParameterError([f"--set {assignment}: expected NAME=VALUE"])
        values[name.strip()] = value
    return values


def _run(options: argparse.Namespace) -> int:
    """Run a workflow; what it runs with stands first in its log, whatever comes of it."""
    workflow = WORKFLOWS[options.workflow]
    values = _values(workflow, options)
    if process_rank() == 0:
        print(describe(workflow.table, values), flush=True)
    return workflow.run(workflow.table.parse(values), options)


def _predict(arguments: Sequence[str]) -> int:
    from trainer.detection.predict import main as predict

    return predict(arguments)


def _check(options: argparse.Namespace) -> int:
    from rich.console import Console

    from trainer.data.check import inspect
    from trainer.data.folders import select_folders
    from trainer.data.forms import select
    from trainer.data.report import print_report

    workflow = WORKFLOWS[options.workflow]
    find = select if options.workflow == "object-detection-train" else select_folders
    values = _values(workflow, options)
    if options.strict:
        values["bad_data"] = "reject"
    report = inspect(options.datain, workflow.table.parse(values), find).report
    if options.output == "json":
        print(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    else:
        print_report(report, Console())
    return 0 if report.ok else InputError.exit_code


def _parameters(options: argparse.Namespace) -> int:
    """Print the table with the values in force; what is wrong with them comes after it."""
    table = WORKFLOWS[options.workflow].table
    values = _values(WORKFLOWS[options.workflow], options)
    if options.output == "json":
        rows = [row | {"value": values.get(row["name"], row["default"])} for row in table.catalogue()]
        print(json.dumps(rows, indent=2))
    else:
        print(describe(table, values))
    table.parse(values)
    return 0


def _show_augmentations(options: argparse.Namespace) -> int:
    from trainer.training.process import prepare_torch

    workflow = WORKFLOWS["object-detection-train"]
    parameters = workflow.table.parse(_values(workflow, options))
    prepare_torch()
    from trainer.detection.show import show_augmentations

    print(f"{options.sheet}: {', '.join(show_augmentations(options.datain, parameters, options.sheet))}")
    return 0


def _report(options: argparse.Namespace) -> int:
    from trainer.report.page import write_report

    print(write_report(options.folder))
    return 0


def _draw_counters(options: argparse.Namespace) -> int:
    from trainer.data.drawing.dataset import draw_dataset

    draw_dataset(options.folder, options.count, options.seed)
    print(f"{options.count} counters drawn in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
