"""Every family of errors has its exit code and its message, in one place."""

from __future__ import annotations

import pytest

from corespec.errors import CommandError, explain, families
from generator.errors import Diagnostic, InputError, ReferenceUnavailableError, RepositoryError
from reconciler import errors as reconciler

FOUND = Diagnostic("specs/a.yaml", 3, 7, "wrong-type", "must be a whole number")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError([FOUND]), 2),
        (RepositoryError("push refused"), 2),
        (RepositoryError("no route", transient=True), 1),
        (ReferenceUnavailableError("env:TOKEN is not set"), 2),
        (reconciler.TransientError("503"), 1),
        (reconciler.AmbiguousError("timeout"), 1),
        (reconciler.AuthenticationError("401"), 2),
        (reconciler.ConflictError("taken"), 2),
        (reconciler.PolicyError("too many"), 2),
        (reconciler.DatasetError("broken"), 2),
        (reconciler.StaleRenderError("stale"), 2),
        (reconciler.NotHealthyError("sync failed"), 4),
        (reconciler.LockHeldError("held"), 5),
        (reconciler.LockLostError("lost"), 5),
        (reconciler.LockUnavailableError("no bucket"), 1),
        (CommandError("which environment?"), 2),
        (FileNotFoundError(2, "No such file or directory", "specs"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_each_family_has_its_exit_code(error: BaseException, code: int) -> None:
    """The table of DESIGN section 4, and every class of it is one that `main` catches."""
    failure = explain(error)
    assert failure.code == code
    assert failure.message
    assert isinstance(error, families())


def test_diagnostics_are_told_one_by_one_to_people_and_as_fields_to_programs() -> None:
    """A finding keeps its place in both forms."""
    failure = explain(InputError([FOUND]))
    assert failure.message == "specs/a.yaml:3:7: wrong-type: must be a whole number"
    (found,) = failure.document()["error"]["diagnostics"]
    assert found == {
        "path": "specs/a.yaml",
        "line": 3,
        "column": 7,
        "code": "wrong-type",
        "message": "must be a whole number",
        "severity": "error",
    }


def test_a_remedy_stands_below_the_message() -> None:
    """What to do next is part of every message that has one."""
    failure = explain(CommandError("the port is taken", remedy="Choose another with --port."))
    assert failure.message == "the port is taken\n  Choose another with --port."


def test_a_fault_of_the_program_is_not_dressed_up() -> None:
    """A programming error is no family: it keeps its traceback."""
    assert not isinstance(KeyError("x"), families())
