"""`python -m localcore.engines.supervisor FOLDER`: runs one execution and outlives the server that started
it.

It holds the folder's lock as long as it lives, keeps `state.json`, and ends only after every process of its
containers has. Secrets come on standard input. SIGTERM stops the execution.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from localcore import clock, objectstores
from localcore.engines.logfile import LogWriter
from localcore.engines.processes import descendants, send
from localcore.engines.runner import ProcessRunner
from localcore.engines.state import FAILED, RUNNING, STOPPED, SUCCEEDED, Workplace
from localcore.engines.supervising import supervise
from localcore.workflow.errors import WorkflowError
from localcore.workflow.parse import parse
from localcore.workflow.plan import SUCCEEDED as NODE_SUCCEEDED
from localcore.workflow.plan import Outcome
from localcore.workflow.resolve import bind_parameters
from localcore.workflow.walk import Walker


class Supervisor:
    def __init__(self, workplace: Workplace, job: dict[str, Any], secrets: dict[str, Any]) -> None:
        self._workplace, self._job, self._secrets = workplace, job, secrets
        self._log = LogWriter(workplace.log)
        self._started = clock.now()
        self._runner: ProcessRunner | None = None
        self._deadline: float | None = None

    def record(self, phase: str = RUNNING, message: str = "") -> None:
        """Write the state as it is now."""
        state: dict[str, Any] = {
            "pid": os.getpid(),
            "phase": phase,
            "message": message,
            "startedAt": self._started,
        }
        if self._runner is not None:
            state |= {"nodes": list(self._runner.nodes.values()), "outputs": self._runner.outputs}
        if phase != RUNNING:
            state["finishedAt"] = clock.now()
        self._workplace.write_state(state)

    async def _walk(self) -> Outcome:
        workflow = parse(self._job["document"])
        parameters = bind_parameters(workflow.parameters, self._job["parameters"], "spec")
        scope = {f"workflow.parameters.{name}": value for name, value in parameters.items()}
        scope |= {"workflow.name": self._job["execution_id"], "workflow.uid": self._job["execution_id"]}
        scope["workflow.creationTimestamp"] = self._started
        parallel = min(workflow.parallelism or sys.maxsize, os.cpu_count() or 1)
        self._runner = ProcessRunner(self._job, self._secrets, self._log, self.record, parallel)
        self._deadline = workflow.deadline
        async with asyncio.timeout(workflow.deadline):
            return await Walker(workflow, self._runner, scope).walk()

    async def run(self) -> None:
        """Run to a recorded end."""
        task = asyncio.ensure_future(self._walk())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        self.record()
        try:
            outcome = await task
            phase = SUCCEEDED if outcome.status == NODE_SUCCEEDED else FAILED
            message = outcome.message
        except WorkflowError as error:
            phase, message = FAILED, str(error)
        except TimeoutError:
            phase = FAILED
            message = f"the workflow was active longer than its activeDeadlineSeconds of {self._deadline:g} s"
        except asyncio.CancelledError:
            phase, message = STOPPED, "stopped"
        if phase == FAILED:
            self._log.write(message, stream="stderr", node="workflow", container="supervisor")
        if self._runner is not None:
            self._runner.abandon(message)
        await asyncio.to_thread(self._clean)
        self.record(phase, message)
        self._log.close()

    def _clean(self) -> None:
        send(descendants(os.getpid()), signal.SIGKILL)
        objectstores.remove(self._workplace.nodes)
        objectstores.remove(self._workplace.folder / "claims")


async def _run(workplace: Workplace, job: dict[str, Any], secrets: dict[str, Any]) -> None:
    await Supervisor(workplace, job, secrets).run()


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:], _run))
