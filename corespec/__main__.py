"""``corespec``: the entry point of the command line, and the composition of its verbs.

Only the verb that was asked for is imported, so that `corespec --help` loads none of the rooms: the summaries
of the others stand in `VERBS`. Every verb returns an exit code; every error becomes one message on stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from keyword import iskeyword
from types import ModuleType
from typing import Annotated

import typer

from corespec import output
from corespec.errors import CommandError, explain, families
from reconciler.exitcode import ExitCode

USAGE = "`corespec --help` lists the verbs, `corespec VERB --help` the options of one."

#: Verb -> its line in `corespec --help`, in the order in which a newcomer meets them.
VERBS = {
    "demo": "The whole way on this machine: draw meters, render, train, measure, read one picture.",
    "init": "Start a repository of your own: specs, an environment, a CI example.",
    "import": "Move in: specs from an old workflow_config or from templates that exist.",
    "validate": "Check every spec; report every error at once.",
    "lint": "Check templates, rendered or written by hand, against the rules of AI Core.",
    "catalog": "The workflows that specs can use, with their parameters.",
    "render": "Write the templates of an environment to rendered/.",
    "image": "Build, push and lock the images of executables.",
    "diff": "What a branch changes in rendered/, by meaning.",
    "publish": "Commit rendered/ and push it to the GitOps repository.",
    "plan": "Show what apply would do, and why.",
    "apply": "Upload, register, configure and launch what the specs want.",
    "reconcile": "Fetch, validate, render, publish and apply: once, or in a loop.",
    "adopt": "Take what AI Core has already into the specs, observed and proven to start nothing.",
    "suspend": "Let an execution or deployment rest: say so in its spec.",
    "resume": "Let it go on.",
    "rerun": "Let an execution run once more: say so in its spec.",
    "drift": "What somebody changed by hand, and no spec explains.",
    "unlock": "Who is at work here; remove a lock that was left, by its token.",
    "status": "One row for each address: in sync, healthy, and why not.",
    "events": "What happened to which object, and how often.",
    "logs": "What an execution printed.",
    "metrics": "What an execution measured: mAP per class and split.",
    "provenance": "What a model was made from: commit, spec, data, image, parameters.",
    "console": "A web page of it all on this machine.",
    "local": "The AI Core of this machine: up, status, down.",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code; never raises for a fault of the user or of the outside world."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = [word for word in words if word != "--verbose"]  # accepted before and after the verb
    try:
        result = _run(arguments)
    except families() as error:  # evaluated only when something was raised, so it costs --help nothing
        if arguments != words:
            output.trace(error)
        failure = explain(error)
        output.fail(failure, as_json=output.wants_json(arguments))
        return failure.code
    return result


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(build(arguments))
    try:
        result = command.main(args=arguments, prog_name="corespec", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as usage:
        raise CommandError(usage.format_message(), remedy=USAGE) from None
    if result == ExitCode.INTERRUPTED:  # typer turns Ctrl-C into this code
        raise KeyboardInterrupt
    return int(result or 0)


def build(arguments: Sequence[str]) -> typer.Typer:
    """The command line with the one verb loaded that `arguments` ask for; all of them for completion."""
    app = typer.Typer(
        name="corespec",
        help="Turns specs in Git into trained vision models on SAP AI Core, and keeps them in line.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    everything = "_CORESPEC_COMPLETE" in os.environ
    for verb, summary in VERBS.items():
        if everything or verb == wanted:
            _register(app, verb, summary, import_module(module_of(verb)))
        else:
            app.command(verb, help=summary)(_unloaded)
    return app


def module_of(verb: str) -> str:
    """The module of a verb; Python keeps some words for itself."""
    return f"corespec.verbs.{verb}{'_' if iskeyword(verb) else ''}"


def _register(app: typer.Typer, verb: str, summary: str, module: ModuleType) -> None:
    group: typer.Typer | None = getattr(module, "group", None)
    if group is not None:
        app.add_typer(group, name=verb, short_help=summary)
    else:
        command: Callable[..., int] = module.run
        app.command(verb, short_help=summary)(command)


def _print_version(asked: bool) -> None:
    if asked:
        output.say(f"corespec {version('corespec')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show where an error came from.")] = False,
) -> None:
    """Options of every verb; `main` has read them already."""
    del version, verbose


def _unloaded() -> None:
    """Stands for a verb that was not asked for."""


if __name__ == "__main__":
    sys.exit(main())
