"""Reading the last lines of runs that failed, where what AI Core says of them does not tell why.

Only of runs that would be tried again: settled history is never read. What a run has printed does not change
any more, so the verdict is remembered in a file; without it nothing changes but the number of requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from reconciler.aicore import AICore
from reconciler.desired import Desired
from reconciler.errors import InputRejectedError, NotFoundError
from reconciler.failure import Failure, FailureClass, classify
from reconciler.files import write_atomically
from reconciler.find import find_configurations
from reconciler.live import FAILED_STATES, Execution, Live
from reconciler.runs import own_state
from reconciler.workbench import WORK

#: Lines that are read of one run, the last ones.
LINES = 40
#: Verdicts that are remembered at most, the latest.
_KEPT = 1000
_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was found out about runs, by id; `path` None: in no file."""

    path: Path | None = None

    def read(self) -> dict[str, Failure]:
        """What is known; nothing where the file is not there or is damaged."""
        if self.path is None:
            return {}
        try:
            known = json.loads(self.path.read_bytes())
            return {
                str(id_): Failure(FailureClass(kind), str(evidence), bool(repeats))
                for id_, (kind, evidence, repeats) in known.items()
            }
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}

    def write(self, known: Mapping[str, Failure]) -> None:
        """Keep the latest; a disk that is full costs requests, and no round."""
        if self.path is None:
            return
        kept = list(known.items())[-_KEPT:]
        rows = {id_: [one.kind.value, one.evidence, one.repeats] for id_, one in kept}
        try:
            write_atomically(self.path, json.dumps(rows, indent=1).encode())
        except OSError:
            return


def remembered(root: Path) -> Verdicts:
    """Those of a project on this machine."""
    return Verdicts(root / WORK / "cache" / "failures.json")


def find_failures(aicore: AICore, desired: Desired, live: Live, verdicts: Verdicts) -> dict[str, Failure]:
    """Verdicts on the runs whose logs decide something, by id. `desired` is bound.

    Raises what the port raises.
    """
    wanted = {run.id: run for run in undecided(desired, live)}
    if not wanted:
        return {}
    known = verdicts.read()
    if fresh := [run for id_, run in wanted.items() if id_ not in known]:
        with ThreadPoolExecutor(_WORKERS) as pool:
            found = dict(
                zip((run.id for run in fresh), pool.map(lambda r: _read(aicore, r), fresh), strict=True)
            )
        known |= found
        verdicts.write(known)
    return {id_: known[id_] for id_ in wanted}


def undecided(desired: Desired, live: Live) -> Iterator[Execution]:
    """The last failed run of each execution that would start another one, where its status tells nothing."""
    failed = {run.configuration for run in live.executions if run.status in FAILED_STATES}
    if not failed:
        return
    for wanted in desired.executions:
        configurations = find_configurations(wanted.configuration, live)
        if not any(one.id in failed for one in configurations):
            continue
        state = own_state(wanted, configurations, live)
        run = state.failed
        if run is not None and state.launches and not str(classify(run.message, run.details)):
            yield run


def _read(aicore: AICore, run: Execution) -> Failure:
    """A log that is gone tells nothing; one that cannot be read is an error, as everywhere."""
    try:
        lines = aicore.last_lines(run.id, run.created_at, LINES)
    except (NotFoundError, InputRejectedError):
        lines = ()
    return classify(run.message, run.details, [line.message for line in lines])
