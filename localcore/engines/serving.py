"""The deployments' engine: starts a supervisor for each revision of a deployment, follows and ends them.

As with executions the server holds nothing that it could not find again. A deployment's folder has one folder
for each revision that may still be serving: while a new configuration is started the last one goes on
serving, and is ended as soon as the new one answers.
"""

from __future__ import annotations

import logging
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

from localcore import objectstores
from localcore.engines import state as phases
from localcore.engines.processes import marked, send
from localcore.engines.serving_launch import ServerLauncher
from localcore.engines.state import Workplace
from localcore.engines.stopping import Stopper
from localcore.engines.supervising import EXIT_NOT_MINE
from localcore.engines.traffic import Traffic
from localcore.errors import ObjectStoreError, not_found
from localcore.home import Home
from localcore.serving import ServingError
from localcore.states import DELETABLE, STOPPABLE, refusal
from localcore.store.database import Row
from localcore.store.deployments import ACTIVE
from localcore.store.store import Store
from localcore.workflow.errors import WorkflowError

log = logging.getLogger(__name__)

_TICK = 0.2
_SLACK = 5.0
NOT_FOUND = "01010016"


class DeploymentEngine:
    """One thread decides; API threads only ask."""

    def __init__(self, store: Store, home: Home, url: str, *, grace: float) -> None:
        self._store, self._home, self._url, self._grace = store, home, url, grace
        self._launcher = ServerLauncher(store, home, grace)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._stopper = Stopper(grace + _SLACK)
        self.traffic = Traffic()
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._loop, name="deployments", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def log_of(self, deployment_id: str) -> Workplace:
        """The folder whose log all revisions write."""
        return Workplace(self._home.deployments / deployment_id)

    def _loop(self) -> None:
        while not self._ended:
            busy = self._try_tick()
            self._wake.wait(_TICK if busy else 2.0)
            self._wake.clear()

    def _try_tick(self) -> bool:
        """A full disk or a locked database is a reason to try again, not to end."""
        try:
            return self.tick()
        except (OSError, sqlite3.Error):
            log.exception("the deployments could not do their round; they try again")
            return True

    # deciding

    def tick(self) -> bool:
        """Look at every deployment without a final state once; returns whether there is one."""
        with self._lock:
            for row in self._store.deployments.expired():
                self._expire(row)
            rows = self._store.deployments.active()
            for row in rows:
                if row["status"] == "UNKNOWN":
                    self._admit(row)
                elif row["status"] == "STOPPING":
                    self._finish(row)
                else:
                    self._follow(row)
            return bool(rows)

    def _expire(self, row: Row) -> None:
        """Its time to live is over: it is stopped, and then removed as if it had never been."""
        if row["status"] in STOPPABLE:
            self._store.deployments.set_status(
                row["id"],
                "STOPPING",
                expected=tuple(STOPPABLE),
                target="DELETED",
                message=f"its time to live of {row['ttl']} is over",
            )
        elif row["status"] in DELETABLE:
            self._store.deployments.delete(row["id"])
            self.forget([row["id"]])
            log.info("deployment %s: removed after %s", row["id"], row["ttl"])

    def _revisions(self, deployment_id: str) -> Iterator[tuple[int, Workplace]]:
        """Revisions that have a folder, latest first."""
        folder = self._home.deployments / deployment_id
        numbers = (int(place.name) for place in folder.glob("*") if place.name.isdecimal())
        for number in sorted(numbers, reverse=True):
            yield number, Workplace(folder / str(number))

    def _alive(self, workplace: Workplace) -> bool:
        child = self._children.get(str(workplace.folder))
        return workplace.supervised() or (child is not None and child.poll() is None)

    def _admit(self, row: Row) -> None:
        """UNKNOWN -> PENDING once executable and default object store are there."""
        if self._store.catalog.executable(row["executable_id"], row["scenario_id"]) is None:
            message = (
                f"executable {row['executable_id']} of scenario {row['scenario_id']} does not exist (yet)"
            )
        elif self._store.object_stores.get(row["resource_group"], "default") is None:
            message = f"resource group {row['resource_group']} has no object store secret named default"
        else:
            self._store.deployments.set_status(row["id"], "PENDING", expected=("UNKNOWN",))
            self.wake()
            return
        if message != row["status_message"]:
            self._store.deployments.set_status(row["id"], "UNKNOWN", expected=("UNKNOWN",), message=message)

    def _follow(self, row: Row) -> None:
        """Bring the wanted revision up, and end the others once it answers."""
        workplace = Workplace(self._home.deployments / row["id"] / str(row["revision"]))
        alive = self._alive(workplace)
        state = workplace.state()  # read after the look at the lock: of a dead one this is the last word
        phase = state.get("phase")
        if not alive:
            child = self._children.pop(str(workplace.folder), None)
            if phase == phases.FAILED:
                self._fail(row, str(state.get("message", "")))
            elif child is not None and child.returncode > 0 and child.returncode != EXIT_NOT_MINE:
                self._fail(row, f"the supervisor failed: {workplace.last_words()}")
            else:
                self._launch(row, workplace)
        elif phase == phases.READY:
            self.traffic.lead(row["id"], int(state["port"]))
            self._running(row, workplace)
        else:
            self._keep_serving(row, str(state.get("message", "")))

    def _running(self, row: Row, workplace: Workplace) -> None:
        if row["status"] != "RUNNING" or row["status_message"]:
            self._store.deployments.set_status(
                row["id"],
                "RUNNING",
                expected=("PENDING", "RUNNING"),
                plan=str(workplace.job().get("plan", "")),
                url=f"{self._url}/v2/inference/deployments/{row['id']}",
            )
        self._end_revisions(row["id"], keep=row["revision"], politely=True)

    def _keep_serving(self, row: Row, message: str) -> None:
        """Not ready: an earlier revision answers meanwhile, if there is one."""
        for number, workplace in self._revisions(row["id"]):
            state = workplace.state()
            if number != row["revision"] and state.get("phase") == phases.READY and self._alive(workplace):
                self.traffic.lead(row["id"], int(state["port"]))
                return
        self.traffic.lead(row["id"], None)
        if message != row["status_message"]:
            status = row["status"]
            self._store.deployments.set_status(row["id"], status, expected=(status,), message=message)

    def _launch(self, row: Row, workplace: Workplace) -> None:
        """Start the wanted revision, or start it again after a restart of this machine."""
        self._sweep(workplace)
        workplace.forget_state()
        try:
            self._children[str(workplace.folder)] = self._launcher.start(row, workplace)
        except (WorkflowError, ObjectStoreError, ServingError) as error:
            self._fail(row, str(error))

    def _fail(self, row: Row, message: str) -> None:
        self.traffic.lead(row["id"], None)
        if self._end_revisions(row["id"], keep=row["revision"]):
            self._store.deployments.set_status(
                row["id"], "DEAD", expected=("PENDING", "RUNNING"), message=message
            )
            self._end_revisions(row["id"], keep=None)
            log.info("deployment %s: DEAD %s", row["id"], message)

    def _finish(self, row: Row) -> None:
        self.traffic.lead(row["id"], None)
        if self._end_revisions(row["id"], keep=None):
            self._store.deployments.set_status(
                row["id"], "STOPPED", expected=("STOPPING",), message="stopped on request"
            )
            log.info("deployment %s: STOPPED", row["id"])

    def _end_revisions(self, deployment_id: str, *, keep: int | None, politely: bool = False) -> bool:
        """Ask every other revision to end, `politely` after its last request; True when none is left."""
        left = False
        for number, workplace in self._revisions(deployment_id):
            if number == keep:
                continue
            if self._alive(workplace):
                port = workplace.state().get("port")
                if not politely or port is None or self.traffic.idle(deployment_id, int(port)):
                    self._stop(workplace)
                left = True
                continue
            self._sweep(workplace)
            self._children.pop(str(workplace.folder), None)
            objectstores.remove(workplace.folder)
        return not left

    def _stop(self, workplace: Workplace) -> None:
        child = self._children.get(str(workplace.folder))
        self._stopper.ask(str(workplace.folder), child.pid if child else workplace.supervisor_pid())

    def _sweep(self, workplace: Workplace) -> None:
        """Kill what a killed supervisor has left, and give its space back."""
        self._stopper.forget(str(workplace.folder))
        while left := marked(f"LOCALCORE_NODE={self._launcher.marker(workplace)}"):
            send(left, signal.SIGKILL)
            time.sleep(0.02)
        objectstores.remove(workplace.nodes)

    # asked by the API

    def _found(self, resource_group: str, deployment_id: str, target: str) -> Row:
        row = self._store.deployments.find(resource_group, deployment_id)
        if row is None:
            raise not_found("Deployment", deployment_id, code=NOT_FOUND)
        refused = refusal(row["status"], target, "deployment")
        if refused is not None:
            raise refused
        return row

    def request_stop(self, resource_group: str, deployment_id: str) -> None:
        """Raises ApiError 404 or 412."""
        with self._lock:
            self._found(resource_group, deployment_id, "STOPPED")
            self._store.deployments.set_status(
                deployment_id,
                "STOPPING",
                expected=("PENDING", "RUNNING"),
                target="STOPPED",
                message="stopped on request",
            )
        self.wake()

    def update(self, resource_group: str, deployment_id: str, configuration: dict[str, Any]) -> None:
        """Serve with another configuration from now on. Raises ApiError 404 or 412."""
        with self._lock:
            self._found(resource_group, deployment_id, "UPDATED")
            self._store.deployments.update(deployment_id, configuration)
        self.wake()

    def delete(self, resource_group: str, deployment_id: str) -> None:
        """Remove the deployment with its log. Raises ApiError 404 or 412."""
        with self._lock:
            self._found(resource_group, deployment_id, "DELETED")
            self._store.deployments.delete(deployment_id)
            self.forget([deployment_id])

    def forget(self, deployment_ids: list[str]) -> None:
        """Remove the files of deployments that are no longer in the store."""
        for deployment_id in deployment_ids:
            objectstores.remove(self._home.deployments / deployment_id)

    def shutdown(self, *, keep_running: bool) -> None:
        """End the loop; then either leave the servers to the next one of us or stop them.

        Stopped ones are started again by the next: that a deployment is wanted is in the database.
        """
        self._ended = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join()
        if keep_running:
            return
        deadline = time.monotonic() + self._grace + 2 * _SLACK
        with self._lock:
            rows = [row for row in self._store.deployments.active() if row["status"] in ACTIVE[1:]]
            while time.monotonic() < deadline and self._any_left(rows):
                time.sleep(_TICK / 4)
            for row in rows:
                if row["status"] != "STOPPING":
                    self._store.deployments.set_status(row["id"], "PENDING", expected=("PENDING", "RUNNING"))

    def _any_left(self, rows: list[Row]) -> bool:
        left = False
        for row in rows:
            for _, workplace in self._revisions(row["id"]):
                if self._alive(workplace):
                    self._stop(workplace)
                    left = True
        return left
