"""The process engine: admits executions in the order they came, starts their supervisors, follows and ends
them.

The server holds nothing that it could not find again: the lock of an execution's folder says whether its
supervisor lives, its `state.json` how far it is. So a restart needs no special case: following a supervisor
of an earlier server is what it always does.
"""

from __future__ import annotations

import json
import logging
import signal
import sqlite3
import subprocess
import threading
import time
from typing import Any

from localcore import objectstores
from localcore.engines import state as phases
from localcore.engines.launch import Launcher
from localcore.engines.processes import marked, send
from localcore.engines.registration import registered
from localcore.engines.state import Workplace
from localcore.engines.stopping import Stopper
from localcore.errors import ApiError, ObjectStoreError, not_found
from localcore.home import Home
from localcore.states import refusal
from localcore.store.database import Row
from localcore.store.executions import ACTIVE
from localcore.store.store import Store
from localcore.workflow.errors import WorkflowError

log = logging.getLogger(__name__)

_TICK = 0.2
_SLACK = 5.0
SHUT_DOWN = "the local AI Core was shut down while this execution ran"
LOST = "the supervisor of this execution ended without a result: it was killed, or the machine restarted"


class ProcessEngine:
    """One thread decides; API threads only ask. `url` is where containers find the tracking endpoint."""

    def __init__(self, store: Store, home: Home, url: str, *, max_running: int, grace: float) -> None:
        self._store, self._home = store, home
        self.max_running, self._grace = max_running, grace
        self._launcher = Launcher(store, home, url, grace)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._stopper = Stopper(grace + _SLACK)
        self._seen: dict[str, str] = {}
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def _loop(self) -> None:
        while not self._ended:
            busy = self._try_tick()
            self._wake.wait(_TICK if busy else 2.0)
            self._wake.clear()

    def workplace(self, execution_id: str) -> Workplace:
        return Workplace(self._home.executions / execution_id)

    def _try_tick(self) -> bool:
        """A full disk or a locked database is a reason to try again, not to end."""
        try:
            return self.tick()
        except (OSError, sqlite3.Error):
            log.exception("the engine could not do its round; it tries again")
            return True

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    # deciding

    def tick(self) -> bool:
        """Look at every execution without a final state once; returns whether something is under way."""
        with self._lock:
            rows = self._store.executions.active()
            running = 0
            for row in rows:
                if row["status"] in ("RUNNING", "STOPPING") or self._launched(row["id"]):
                    self._follow(row)
                    running += 1
            for row in rows:
                if row["status"] == "UNKNOWN":
                    self._admit(row)
            for row in self._store.executions.active():
                if (
                    row["status"] == "PENDING"
                    and running < self.max_running
                    and not self._launched(row["id"])
                ):
                    self._launch(row)
                    running += 1
            return running > 0

    def _launched(self, execution_id: str) -> bool:
        if execution_id in self._children:
            return True
        workplace = self.workplace(execution_id)
        return workplace.folder.exists() and (workplace.supervised() or bool(workplace.state()))

    def _admit(self, row: Row) -> None:
        """UNKNOWN -> PENDING once executable and default object store are there, as in AI Core."""
        message = ""
        executable = self._store.catalog.executable(row["executable_id"], row["scenario_id"])
        if executable is not None and executable["deployable"]:
            message = f"executable {row['executable_id']} is a ServingTemplate: it is deployed, not executed"
            self._end(row, "DEAD", message)
            return
        if executable is None:
            message = (
                f"executable {row['executable_id']} of scenario {row['scenario_id']} does not exist (yet)"
            )
        elif self._store.object_stores.get(row["resource_group"], "default") is None:
            message = f"resource group {row['resource_group']} has no object store secret named default"
        if not message:
            self._store.executions.set_status(row["id"], "PENDING", expected=("UNKNOWN",))
        elif message != row["status_message"]:
            self._store.executions.set_status(row["id"], "UNKNOWN", expected=("UNKNOWN",), message=message)

    def _launch(self, row: Row) -> None:
        try:
            prepared = self._launcher.prepare(row)
        except (WorkflowError, ObjectStoreError) as error:
            self._end(row, "DEAD", str(error))
            return
        if prepared is None:
            self._store.executions.set_status(row["id"], "UNKNOWN", expected=("PENDING",))
            return
        self._children[row["id"]] = self._launcher.spawn(self.workplace(row["id"]), *prepared)

    # following

    def _follow(self, row: Row) -> None:
        """Bring the execution's row up to what its supervisor recorded."""
        workplace = self.workplace(row["id"])
        child = self._children.get(row["id"])
        code = child.poll() if child else None
        alive = workplace.supervised() or (child is not None and code is None)
        state = (
            workplace.state()
        )  # read after the look at the lock: of a dead supervisor this is the last word
        if alive:
            self._show(row, state)
            if row["status"] == "STOPPING":
                self._stop(row["id"])
            return
        self._children.pop(row["id"], None)
        phase, message = state.get("phase"), str(state.get("message", ""))
        if row["status"] == "STOPPING":
            self._end(row, "STOPPED", "stopped on request", state)
        elif phase == phases.SUCCEEDED:
            self._end(row, "COMPLETED", "", state)
        elif phase == phases.FAILED:
            self._end(row, "DEAD", message, state)
        elif phase == phases.STOPPED:
            self._end(row, "DEAD", "the execution was stopped by a signal from outside", state)
        else:
            self._end(row, "DEAD", self._epitaph(workplace, code), state)

    def _epitaph(self, workplace: Workplace, code: int | None) -> str:
        """Why a supervisor left no result: its own last line where there is one."""
        last = workplace.last_words()
        return f"the supervisor failed: {last}" if code and code > 0 and last else LOST

    def _show(self, row: Row, state: dict[str, Any]) -> None:
        """PENDING -> RUNNING, and the table of nodes whenever it changed."""
        details = {"nodes": state.get("nodes", [])}
        seen = json.dumps(details)
        if not state or (row["status"] != "PENDING" and self._seen.get(row["id"]) == seen):
            return
        self._seen[row["id"]] = seen
        status = "RUNNING" if row["status"] == "PENDING" else row["status"]
        self._store.executions.set_status(
            row["id"], status, expected=(row["status"],), details=details, started=state.get("startedAt")
        )

    def _end(self, row: Row, status: str, message: str, state: dict[str, Any] | None = None) -> None:
        """Write the final state, its outputs in the same commit, after the last process is gone."""
        found = state or {}
        self._sweep(row["id"])
        details = {"nodes": found.get("nodes", [])} if found else None
        outputs = registered(self._store, row, found.get("outputs", {})) if status != "DEAD" else []
        self._store.executions.set_status(
            row["id"],
            status,
            expected=ACTIVE,
            message=message,
            details=details,
            outputs=outputs,
            started=found.get("startedAt"),
        )
        self._seen.pop(row["id"], None)
        self._stopper.forget(row["id"])
        log.info("execution %s: %s %s", row["id"], status, message)

    def _sweep(self, execution_id: str) -> None:
        """Kill what is left of an execution and give its space back."""
        while left := marked(f"AICORE_EXECUTION_ID={execution_id}"):
            send(left, signal.SIGKILL)
            time.sleep(0.02)
        workplace = self.workplace(execution_id)
        objectstores.remove(workplace.nodes)
        objectstores.remove(workplace.folder / "claims")

    # ending

    def _stop(self, execution_id: str) -> None:
        """Ask a supervisor to stop; kill it when it does not within the grace period."""
        child = self._children.get(execution_id)
        self._stopper.ask(execution_id, child.pid if child else self.workplace(execution_id).supervisor_pid())

    def request_stop(self, resource_group: str, execution_id: str) -> None:
        """STOPPED at once when it waits, STOPPING when it runs. Raises ApiError 404 or 412."""
        with self._lock:
            row = self._found(resource_group, execution_id, "STOPPED")
            status = "STOPPING" if row["status"] == "RUNNING" or self._launched(execution_id) else "STOPPED"
            self._store.executions.set_status(
                execution_id,
                status,
                expected=("PENDING", "RUNNING"),
                target="STOPPED",
                message="stopped on request",
            )
        self.wake()

    def delete(self, resource_group: str, execution_id: str) -> None:
        """Remove the execution, its log and its files; its output artifacts stay.

        Raises ApiError 404 or 412.
        """
        with self._lock:
            self._found(resource_group, execution_id, "DELETED")
            self._store.executions.delete(execution_id)
            self.forget([execution_id])

    def forget(self, execution_ids: list[str]) -> None:
        """Remove the logs and files of executions that are no longer in the store."""
        for execution_id in execution_ids:
            objectstores.remove(self.workplace(execution_id).folder)

    def _found(self, resource_group: str, execution_id: str, target: str) -> Row:
        row = self._store.executions.find(resource_group, execution_id)
        if row is None:
            raise not_found("Execution", execution_id, code="01010020")
        refused: ApiError | None = refusal(row["status"], target)
        if refused is not None:
            raise refused
        return row

    def shutdown(self, *, keep_running: bool) -> None:
        """End the loop.

        Then either leave running executions to the next server or end them as DEAD with the reason.
        """
        self._ended = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join()
        if keep_running:
            return
        with self._lock:
            rows = [row for row in self._store.executions.active() if self._launched(row["id"])]
            deadline = time.monotonic() + self._grace + 2 * _SLACK
            while time.monotonic() < deadline and self._any_left(rows):
                time.sleep(_TICK / 4)
            for row in rows:
                final = "STOPPED" if row["status"] == "STOPPING" else "DEAD"
                self._end(row, final, SHUT_DOWN, self.workplace(row["id"]).state())

    def _any_left(self, rows: list[Row]) -> bool:
        """Whether one still lives; asks each of them to stop, not only the first."""
        return len([row for row in rows if self._still(row["id"])]) > 0

    def _still(self, execution_id: str) -> bool:
        self._stop(execution_id)
        child = self._children.get(execution_id)
        return self.workplace(execution_id).supervised() or (child is not None and child.poll() is None)
