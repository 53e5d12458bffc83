"""Outputs of executions as inputs of others: which run's artifact it is, once one has completed. Pure."""

from __future__ import annotations

from dataclasses import replace

from generator.fingerprint import template_fingerprint
from reconciler.desired import Desired, DesiredConfiguration, DesiredExecution, DesiredOutput, full_name
from reconciler.find import find_configurations
from reconciler.live import Artifact, Execution, Live


def bind(desired: Desired, live: Live) -> Desired:
    """`desired` with every output that is there filled in, and the names that follow from it.

    The run that counts (`rerunAfter`) and completed first is the one: whatever completes later changes
    nothing, moving `rerunAfter` does. Chains are followed; the specs hold no cycle.
    """
    if not any(_outputs(wanted) for wanted in desired.configurations):
        return desired
    binder = _Binder(desired, live)
    configurations = tuple(binder.configuration(wanted) for wanted in desired.configurations)
    by_address = {wanted.address: wanted for wanted in configurations}
    executions = tuple(
        replace(wanted, configuration=by_address[wanted.configuration.address])
        for wanted in desired.executions
    )
    return replace(desired, configurations=configurations, executions=executions)


def completed_runs(wanted: DesiredExecution, live: Live) -> tuple[Execution, ...]:
    """Runs of an execution that have completed and count, in the order of their completion."""
    since = wanted.budget.rerun_after
    runs = [
        run
        for configuration in find_configurations(wanted.configuration, live)
        for run in live.executions_by_configuration.get(configuration.id, ())
        if run.status == "COMPLETED" and (since is None or run.created_at >= since)
    ]
    return tuple(sorted(runs, key=lambda run: (run.completed_at or run.modified_at, run.created_at, run.id)))


def written(run: Execution, output: str, live: Live) -> Artifact | None:
    """The artifact of that name that a run has written."""
    return next((a for a in live.outputs_by_execution.get(run.id, ()) if a.name == output), None)


def only_model(run: Execution, live: Live) -> Artifact | None:
    """The model that a run has written, where it is the only one."""
    models = [a for a in live.outputs_by_execution.get(run.id, ()) if a.kind == "model"]
    return models[0] if len(models) == 1 else None


class _Binder:
    def __init__(self, desired: Desired, live: Live) -> None:
        self._live = live
        self._executions = {wanted.address: wanted for wanted in desired.executions}
        self._templates = {t.executable: t.document for t in desired.templates}
        self._made: dict[str, DesiredConfiguration] = {}

    def configuration(self, wanted: DesiredConfiguration) -> DesiredConfiguration:
        if wanted.address not in self._made:
            self._made[wanted.address] = self._bound(wanted)
        return self._made[wanted.address]

    def _bound(self, wanted: DesiredConfiguration) -> DesiredConfiguration:
        outputs = _outputs(wanted)
        if not outputs:
            return wanted
        inputs = {**wanted.inputs, **{port: self._output(item) for port, item in outputs.items()}}
        bound = replace(wanted, inputs=inputs, full_name="")
        if bound.waits_for or wanted.executable not in self._templates:
            return bound
        template = template_fingerprint(self._templates[wanted.executable])
        name = full_name(wanted.name, wanted.executable, template, wanted.parameters, inputs)
        return replace(bound, full_name=name)

    def _output(self, item: DesiredOutput) -> DesiredOutput:
        producer = self._executions.get(item.execution)
        if producer is None:
            return item
        producer = replace(producer, configuration=self.configuration(producer.configuration))
        for run in completed_runs(producer, self._live):
            artifact = written(run, item.output, self._live)
            if artifact:
                return replace(item, run=run.id, artifact=artifact.id)
        return item


def _outputs(wanted: DesiredConfiguration) -> dict[str, DesiredOutput]:
    return {port: item for port, item in wanted.inputs.items() if isinstance(item, DesiredOutput)}
