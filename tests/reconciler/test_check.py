"""The workflow's checker is asked before anything is created, once for each content and set of parameters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.check import Check, checks, run_checks
from reconciler.dataset import manifest
from reconciler.errors import DatasetError
from reconciler.workbench import read_specs
from tests.reconciler.project import CATALOG, PLACE, SPEC


def _check(tmp_path: Path, code: str, key: str = "k") -> Check:
    return Check("dataset/s/d", ("-c", code), tmp_path, key)


def _saying(report: object, exit_code: int = 0) -> str:
    return f"import sys; print({json.dumps(report)!r}); sys.exit({exit_code})"


def test_a_passed_check_is_remembered(tmp_path: Path) -> None:
    """The second time nothing is started; forgetting the cache starts it again."""
    mark = tmp_path / "ran"
    code = f"open({str(mark)!r}, 'a').write('x'); print('{{\"ok\": true}}')"
    for _ in range(2):
        assert run_checks([_check(tmp_path, code)], tmp_path / "cache") == ()
    assert mark.read_text() == "x"
    (tmp_path / "cache" / "checks" / "k").unlink()
    run_checks([_check(tmp_path, code)], tmp_path / "cache")
    assert mark.read_text() == "xx"


def test_every_bad_file_is_named(tmp_path: Path) -> None:
    """File, line, code and message; a long list is cut with its rest counted."""
    errors = [
        {"file": f"p{n}.xml", "line": n, "code": "no-box", "message": "holds no box"} for n in range(1, 60)
    ]
    with pytest.raises(DatasetError) as raised:
        run_checks([_check(tmp_path, _saying({"ok": False, "errors": errors}, 2))], tmp_path)
    assert "p1.xml:1: no-box: holds no box" in str(raised.value)
    assert "… and 9 more" in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
        ("print('not json')", "it said nothing"),
        (_saying({"ok": True}, 1), "it said nothing"),
    ],
)
def test_a_checker_that_cannot_run_is_a_warning(tmp_path: Path, code: str, why: str) -> None:
    """A machine that only reconciles need not be able to read pictures; the check is not remembered as
    passed.
    """
    (warning,) = run_checks([_check(tmp_path, code)], tmp_path / "cache")
    assert warning.code == "unchecked"
    assert why in warning.message
    assert not (tmp_path / "cache").exists()


def test_warnings_of_the_checker_are_passed_on(tmp_path: Path) -> None:
    """They change no exit code."""
    report = {"ok": True, "warnings": [{"file": "a.png", "code": "tiny", "message": "8 pixels"}]}
    (warning,) = run_checks([_check(tmp_path, _saying(report))], tmp_path)
    assert (warning.code, warning.message) == ("tiny", "a.png: tiny: 8 pixels")


def test_what_is_asked_of_the_checker(tmp_path: Path) -> None:
    """The catalogue's arguments, the input's folder, every parameter; one run for each set of parameters."""
    (tmp_path / "specs" / "environments").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    two = "  again: {executable: stub-x, inputs: {datain: words}, parameters: {rate: 0.5}}\n"
    three = "  other: {executable: stub-x, inputs: {datain: words}, parameters: {rate: 0.7}}\n"
    spec = SPEC.format(name="stub").replace("executions:", f"{two}{three}executions:")
    (tmp_path / "specs" / "stub.yaml").write_text(spec)
    place = PLACE.format(key="k", data="d", origin="o", name="stub")
    (tmp_path / "specs" / "environments" / "local.yaml").write_text(place)
    resolved = read_specs(tmp_path, "local", (CATALOG,))
    manifests = {"stub/words": manifest(tmp_path / "data")}
    found = checks(resolved, manifests, frozenset({"stub/words"}))
    assert len(found) == 2
    assert found[0].argv[0] == "-c"
    assert found[0].argv[2:4] == ("--datain", str(tmp_path / "data"))
    assert found[0].argv[-2:] == ("-o", "json")
    assert {"--set", "mode=work"} <= set(found[0].argv)
    assert checks(resolved, manifests, frozenset()) == ()
