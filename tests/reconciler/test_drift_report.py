"""What is said of drift, and what a project bears: reports in every form, and drift-ignore.yaml."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.errors import InputError
from reconciler.drift_model import Drift, DriftKind, Finding
from reconciler.exitcode import ExitCode
from reconciler.ignoring import IgnoreEntry, read_ignores, sort_out
from reconciler.report.drift import drift_markdown, drift_text
from reconciler.report.json import drift_json
from reconciler.report.markdown import LIMIT
from tests.reconciler.builders import (
    SCENARIO,
)
from tests.reconciler.driftlab import Lab
from tests.reconciler.fake import START


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def _reports(lab: Lab) -> Drift:
    """Two deeds, one of them borne, and an entry that names nothing."""
    lab.run_again()
    lab.rebind("rate", "0.2")
    entries = [
        IgnoreEntry(
            address=f"configuration/{SCENARIO}/baseline",
            path="id-0007",
            reason="a trial",
            expiry="2026-02-01",
        ),
        IgnoreEntry(address="gone", path="*", reason="an older trial", expiry="2026-02-01"),
    ]
    findings, ignored, unused = sort_out(lab.drift(), entries)
    return Drift("local", "a" * 40, lab.server.clock.now(), findings, ignored, unused)


@pytest.mark.parametrize(
    ("name", "form"), [("drift.txt", drift_text), ("drift.json", drift_json), ("drift.md", drift_markdown)]
)
def test_reports_in_every_form(lab: Lab, name: str, form: Callable[[Drift], str]) -> None:
    """Compared whole; ignored findings stand apart and do not count."""
    report = _reports(lab)
    assert (len(report.findings), len(report.ignored), report.exit_code) == (1, 1, ExitCode.PENDING)
    path = Path(__file__).parent / "golden" / name
    if os.environ.get("CORESPEC_REGENERATE"):
        path.write_text(form(report))
    assert form(report) == path.read_text()


def test_no_finding_left_is_exit_code_0(lab: Lab) -> None:
    """Also when all that was found is borne."""
    lab.run_again()
    entry = IgnoreEntry(
        address=f"configuration/{SCENARIO}/baseline", path="*", reason="r", expiry="2026-02-01"
    )
    findings, ignored, unused = sort_out(lab.drift(), [entry])
    report = Drift("local", "a" * 40, lab.server.clock.now(), findings, ignored, unused, images_asked=True)
    assert (len(ignored), unused, report.exit_code) == (1, (), ExitCode.CONVERGED)
    assert "no differences, 1 ignored." in drift_text(report)


def test_a_huge_report_fits_a_comment_and_says_that_it_was_cut() -> None:
    """Bounded in bytes; the terminal counts what it leaves out, JSON leaves out nothing."""
    many = tuple(
        Finding("dataset/s/ä", f"files/{n:05}", DriftKind.DATASET_MISSING, "x" * 80, "y", "z")
        for n in range(3000)
    )
    report = Drift("local", "a" * 40, START, many)
    text = drift_markdown(report)
    assert len(text.encode()) <= LIMIT
    assert "**Truncated: " in text
    assert "… and 2980 more of this kind there; -o json has all" in drift_text(report)
    assert len(json.loads(drift_json(report))["findings"]) == 3000


IGNORE = """\
apiVersion: corespec/v1
kind: DriftIgnore
ignore:
  - address: execution/meters/baseline
    path: id-0005
    reason: stopped for the inspection
    expiry: {expiry}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            IGNORE.format(expiry="2026-01-01"),
            "drift-ignore.yaml:7:13: expired: ignore[0].expiry: over since 2026",
        ),
        (
            IGNORE.format(expiry="soon"),
            "drift-ignore.yaml:7:13: day: ignore[0].expiry: must be a day, such as",
        ),
        (IGNORE.format(expiry="2026-02-31"), "drift-ignore.yaml:7:13: day: "),
        (
            IGNORE.format(expiry="2026-02-01\n    until: x"),
            "drift-ignore.yaml:8:5: unknown-key: ignore[0].until",
        ),
        (IGNORE.replace("    reason: stopped for the inspection\n", ""), "missing-key: ignore[0].reason"),
        (
            IGNORE.replace("stopped for the inspection", '" "'),
            "drift-ignore.yaml:6:13: one-line: ignore[0].reason",
        ),
        (IGNORE.replace("path: id-0005", "path: id-0005\n    path: x"), "duplicate-key"),
    ],
)
def test_faults_of_the_ignore_file_are_named_where_they_are(tmp_path: Path, text: str, message: str) -> None:
    """File, line, column, field; an expired entry is a fault (exit code 2 like every InputError)."""
    (tmp_path / "drift-ignore.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_ignores(tmp_path, START.date())
    assert message in str(caught.value)


def test_an_entry_holds_until_the_end_of_its_last_day(tmp_path: Path) -> None:
    """And a project without the file ignores nothing."""
    assert read_ignores(tmp_path, START.date()) == ()
    (tmp_path / "drift-ignore.yaml").write_text(IGNORE.format(expiry=START.date().isoformat()))
    (entry,) = read_ignores(tmp_path, START.date())
    assert (entry.path, entry.reason) == ("id-0005", "stopped for the inspection")
