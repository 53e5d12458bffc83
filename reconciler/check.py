"""Look at a dataset before anything is created: the workflow's own checker runs as a separate process.

A passed check is remembered, with what it has counted, by content and parameters; forgetting it changes
nothing but speed.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator.fingerprint import canonical_json
from generator.spec.resolve import Resolved, ResolvedConfiguration
from reconciler.dataset import DatasetManifest
from reconciler.errors import DatasetError
from reconciler.files import write_atomically
from reconciler.plan_model import Problem

#: Code of the warning that a dataset could not be checked.
UNCHECKED = "unchecked"
_MOST_NAMED = 50
_TIMEOUT_SECONDS = 1800
#: Exit code of a checker that has found the data unusable.
_REJECTED = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One run of a checker: `argv` follows the Python interpreter."""

    address: str
    argv: tuple[str, ...]
    source: Path
    key: str  #: content and parameters, hex
    #: brings the files to `source` where they are not there yet
    fetch: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)


def checks(
    resolved: Resolved, datasets: Mapping[str, DatasetManifest], wanted: frozenset[str]
) -> tuple[Check, ...]:
    """The checks of the `wanted` datasets (`<scenario>/<dataset>`), each set of parameters once."""
    workflows = {executable.id: executable.workflow for executable in resolved.executables}
    found: dict[str, Check] = {}
    for configuration in resolved.configurations:
        workflow = workflows.get(configuration.executable)
        if workflow is None or configuration.observe:
            continue
        command = workflow.check
        for port, name in configuration.inputs.items():
            dataset = f"{configuration.scenario}/{name}"
            if command and dataset in wanted and workflow.inputs[port].kind == "dataset":
                check = _check(command, port, dataset, datasets[dataset], configuration)
                found.setdefault(check.key, check)
    return tuple(sorted(found.values(), key=lambda check: (check.address, check.key)))


def _check(
    command: Sequence[str],
    port: str,
    dataset: str,
    manifest: DatasetManifest,
    configuration: ResolvedConfiguration,
) -> Check:
    settings = [
        part
        for name, value in sorted(configuration.parameters.items())
        for part in ("--set", f"{name}={value}")
    ]
    identity = canonical_json([list(command), port, manifest.fingerprint, dict(configuration.parameters)])
    return Check(
        address=f"dataset/{dataset}",
        argv=(*command, f"--{port}", str(manifest.source), *settings, "-o", "json"),
        source=manifest.source,
        key=hashlib.sha256(identity).hexdigest(),
        fetch=manifest.fetch,
    )


def run_checks(todo: Sequence[Check], cache: Path) -> tuple[Problem, ...]:
    """Run every check; returns warnings. Raises DatasetError with each bad file of the first bad dataset."""
    warnings: list[Problem] = []
    for check in todo:
        mark = cache / "checks" / check.key
        if mark.exists():
            continue
        check.fetch()
        report = _run(check)
        if isinstance(report, Problem):
            warnings.append(report)
            continue
        warnings += [
            Problem(check.address, str(w.get("code", "warning")), _sentence(w))
            for w in report.get("warnings", ())
        ]
        write_atomically(mark, json.dumps(_counted(report)).encode())
    return tuple(dict.fromkeys(warnings))


def _counted(report: Mapping[str, Any]) -> dict[str, int]:
    """What the checker has counted, flat: `pictures`, `splits.<split>`, `classes.<class>`."""
    groups = ((group, report.get(group)) for group in ("splits", "classes"))
    found = {
        f"{group}.{name}": n
        for group, part in groups
        if isinstance(part, Mapping)
        for name, n in part.items()
    }
    return {
        name: n for name, n in {"pictures": report.get("pictures"), **found}.items() if isinstance(n, int)
    }


def _run(check: Check) -> Mapping[str, Any] | Problem:
    argv = [sys.executable, *check.argv]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return _could_not_run(check, str(error))
    report = _report(done.stdout)
    if report is None or done.returncode not in {0, _REJECTED}:
        return _could_not_run(check, (done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    if done.returncode == _REJECTED or not report.get("ok", False):
        raise _bad(check, report)
    return report


def _report(output: str) -> Mapping[str, Any] | None:
    try:
        report = json.loads(output)
    except ValueError:
        return None
    return report if isinstance(report, dict) else None


def _could_not_run(check: Check, why: str) -> Problem:
    return Problem(
        check.address,
        UNCHECKED,
        f"the dataset was not checked: {why}",
        "Install what the checker needs (pip install 'corespec[train]'); "
        "until then a bad file shows only in the training.",
    )


def _bad(check: Check, report: Mapping[str, Any]) -> DatasetError:
    errors = [_sentence(error) for error in report.get("errors", ())]
    named = "\n  ".join(errors[:_MOST_NAMED]) or "the checker rejects it"
    more = f"\n  … and {len(errors) - _MOST_NAMED} more" if len(errors) > _MOST_NAMED else ""
    return DatasetError(
        f"{check.address} ({check.source}) cannot be trained on:\n  {named}{more}",
        remedy="Repair or remove these files. Nothing was created.",
    )


def _sentence(finding: Any) -> str:
    if not isinstance(finding, Mapping):
        return str(finding)
    line = f":{finding['line']}" if finding.get("line") else ""
    where = f"{finding['file']}{line}: " if finding.get("file") else ""
    code = f"{finding['code']}: " if finding.get("code") else ""
    return f"{where}{code}{finding.get('message', '')}"
