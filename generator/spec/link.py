"""Reference checks across one scenario: every name that is used must be declared, and fit.

Parts that failed their own check (`broken`) count as declared: a name is not reported as missing because the
thing that bears it has another fault.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from generator.catalog import Workflow
from generator.spec.adopt import KnownArtifact
from generator.spec.dependencies import check_dependencies, execution_children
from generator.spec.document import Configuration, Dataset, OutputOf, Scenario
from generator.spec.expand import Child, as_written, checked_value, expand
from generator.spec.findings import Findings
from generator.spec.reader import Path
from generator.spec.runs import Deployment, DeploymentInput, Execution
from generator.suggest import did_you_mean

# Fields of an executable that only one kind of workflow can honour, with their keys.
_RUN_FIELDS = {
    "shared_memory": "sharedMemory",
    "active_deadline": "activeDeadline",
    "retry": "retry",
    "volumes": "volumes",
}
_SERVING_FIELDS = {"scaling": "scaling"}


class Linker:
    """Checks the references of one scenario and expands its configurations.

    Without a catalogue only references inside of the file are checked.
    """

    def __init__(
        self,
        scenario: Scenario,
        findings: Findings,
        catalog: Mapping[str, Workflow] | None,
        broken: frozenset[Path] = frozenset(),
    ) -> None:
        self.scenario = scenario
        self.findings = findings
        self.catalog = catalog
        self.broken = broken
        self.members: dict[str, Sequence[Child]] = {}
        self._data: Mapping[str, Dataset | KnownArtifact] = {**scenario.artifacts, **scenario.datasets}

    def run(self) -> None:
        """Note every finding; afterwards `members` holds the children of every configuration."""
        for name in self.scenario.artifacts:
            if name in self.scenario.datasets:
                message = "a dataset has this name too; inputs could not tell them apart"
                self.findings.add(("artifacts", name), "duplicate-name", message, key=True)
        for name in self.scenario.executables:
            self._executable(name)
        for name, configuration in self.scenario.configurations.items():
            self._configuration(name, configuration)
        children = [child.address for members in self.members.values() for child in members]
        known = dict.fromkeys([*self.scenario.configurations, *children])
        for name, execution in self.scenario.executions.items():
            self._execution(name, execution, known)
        check_dependencies(self.scenario, self.members, self.catalog, self.findings)
        for name, deployment in self.scenario.deployments.items():
            self._deployment(name, deployment)

    def workflow_of(self, executable: str) -> Workflow | None:
        """The workflow behind an executable, None where it cannot be told."""
        spec = self.scenario.executables.get(executable)
        return self.catalog.get(spec.workflow) if spec and self.catalog is not None else None

    def _declared(self, section: str, names: Collection[str], name: str, where: Path, noun: str) -> bool:
        """Whether `name` may be used; notes a dangling reference."""
        if name in names:
            return True
        if (section, name) not in self.broken and (section,) not in self.broken:
            known = [*names, *(str(path[1]) for path in self.broken if path[0] == section and len(path) > 1)]
            message = f"the scenario has no {noun} `{name}`; {did_you_mean(name, known)}"
            self.findings.add(where, f"unknown-{noun}", message)
        return False

    def _executable(self, name: str) -> None:
        spec = self.scenario.executables[name]
        if self.catalog is not None and spec.workflow not in self.catalog:
            message = f"the catalogue has no workflow `{spec.workflow}`; "
            hint = did_you_mean(spec.workflow, self.catalog)
            self.findings.add(("executables", name, "workflow"), "unknown-workflow", message + hint)
        workflow = self.workflow_of(name)
        if workflow:
            serving = workflow.kind == "serving"
            for field, key in _RUN_FIELDS.items() if serving else _SERVING_FIELDS.items():
                if getattr(spec, field):
                    message = (
                        f"`{workflow.name}` is a {workflow.kind} workflow, which has no `{key}`; remove it"
                    )
                    self.findings.add(("executables", name, key), "unfit-key", message, key=True)

    def _configuration(self, name: str, configuration: Configuration) -> None:
        where: Path = ("configurations", name)
        foreign = configuration.observe and configuration.executable not in self.scenario.executables
        if not foreign:
            self._declared(
                "executables",
                self.scenario.executables,
                configuration.executable,
                (*where, "executable"),
                "executable",
            )
        for port, dataset in configuration.inputs.items():
            if isinstance(dataset, str):
                here = (*where, "inputs", port)
                self._declared("datasets", self._data, dataset, here, "dataset")
        if foreign:  # nobody here knows its workflow: its values are taken as they are written
            self.members[name] = [Child(name, as_written(configuration.parameters), where)]
        workflow = self.workflow_of(configuration.executable)
        if workflow:
            self._inputs(configuration, workflow, where)
            self.members[name] = expand(name, configuration, workflow.parameters, self.findings)

    def _inputs(self, configuration: Configuration, workflow: Workflow, where: Path) -> None:
        self._ports(configuration.inputs, workflow, where)
        for port, dataset in configuration.inputs.items():
            if not isinstance(dataset, OutputOf):
                self._kind(dataset, port, workflow, (*where, "inputs", port))

    def _kind(self, dataset: str, port: str, workflow: Workflow, where: Path) -> None:
        declared = self._data.get(dataset)
        wanted = workflow.inputs[port].kind if port in workflow.inputs else None
        if declared and wanted and declared.kind != wanted:
            message = f"the workflow reads a {wanted} here, and `{dataset}` is a {declared.kind}"
            self.findings.add(where, "artifact-kind", message)

    def _ports(self, bound: Collection[str], workflow: Workflow, where: Path) -> None:
        """Inputs that the workflow does not have, and those that it needs and nobody bound."""
        for port in bound:
            if port not in workflow.inputs:
                message = f"the workflow has no input of this name; {did_you_mean(port, workflow.inputs)}"
                self.findings.add((*where, "inputs", port), "unknown-input", message, key=True)
        for port, artifact in workflow.inputs.items():
            if artifact.required and port not in bound:
                message = f"the input `{port}` of the workflow is missing; bind one: `inputs: {{{port}: …}}`"
                self.findings.add(where, "missing-input", message, key=True)

    def _execution(self, name: str, execution: Execution, known: Collection[str]) -> None:
        where: Path = ("executions", name, "configuration")
        parent = execution.configuration.split(".")[0]
        if ("configurations", parent) in self.broken or (parent in known and parent not in self.members):
            return
        if self._declared("configurations", known, execution.configuration, where, "configuration"):
            workflow = self.workflow_of(self.scenario.configurations[parent].executable)
            if workflow and workflow.kind == "serving":
                message = f"`{workflow.name}` is a serving workflow; declare it under `deployments`"
                self.findings.add(where, "not-runnable", message)

    def _deployment(self, name: str, deployment: Deployment) -> None:
        where: Path = ("deployments", name)
        here = (*where, "executable")
        if not deployment.observe:
            self._declared(
                "executables", self.scenario.executables, deployment.executable, here, "executable"
            )
        workflow = self.workflow_of(deployment.executable)
        if workflow and workflow.kind != "serving":
            serving = sorted(item.name for item in (self.catalog or {}).values() if item.kind == "serving")
            message = f"`{workflow.name}` is no serving workflow and cannot be deployed; this catalogue has "
            self.findings.add(here, "not-serving", message + (", ".join(serving) or "none"))
        elif workflow:
            self._ports(deployment.inputs, workflow, where)
            for key, value in deployment.parameters.items():
                checked_value(workflow.parameters, key, value, (*where, "parameters", key), self.findings)
        for port, source in deployment.inputs.items():
            self._model(source, port, workflow, (*where, "inputs", port))

    def _model(self, source: DeploymentInput, port: str, workflow: Workflow | None, where: Path) -> None:
        """Where the model of a deployment comes from."""
        if source.dataset is not None:
            here = (*where, "dataset")
            if self._declared("datasets", self._data, source.dataset, here, "dataset") and workflow:
                self._kind(source.dataset, port, workflow, here)
        if source.best is None:
            return
        parents = {
            child: name
            for name in self.scenario.executions
            for child, _ in execution_children(self.scenario, self.members, name)
        } | {name: name for name in self.scenario.executions}
        for index, execution in enumerate(source.best.of):
            place = (*where, "best", "of", index)
            if self._declared("executions", parents, execution, place, "execution"):
                self._writes_model(parents[execution], port, place)

    def _writes_model(self, execution: str, port: str, where: Path) -> None:
        """Which of its outputs is the model must be plain: the only model, or the one of the port's name."""
        parent = self.scenario.executions[execution].configuration.split(".")[0]
        configuration = self.scenario.configurations.get(parent)
        workflow = self.workflow_of(configuration.executable) if configuration else None
        if workflow is None or workflow.kind == "serving" or port in workflow.outputs:
            return
        models = [name for name, output in workflow.outputs.items() if output.kind == "model"]
        if len(models) != 1:
            found = f"{len(models)} models ({', '.join(models)})" if models else "no model"
            message = f"`{workflow.name}` writes {found}, so `{execution}` has none to serve as `{port}`"
            self.findings.add(where, "no-model", message)
