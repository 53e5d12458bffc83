"""What AI Core holds in a scenario that no spec owns, and the spec entries that would name it. Pure.

What cannot be said in a spec is left, each with its reason: an entry that says something else than what was
run would be worse than none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from generator.catalog import Workflow
from generator.spec.adopt import KnownArtifact
from generator.spec.document import Configuration as ConfigurationSpec
from generator.spec.document import Scenario
from generator.spec.findings import Findings
from generator.spec.link import Linker
from generator.spec.parse import dotted
from generator.spec.reader import Path, Positions
from generator.spec.runs import Deployment as DeploymentSpec
from reconciler.bindings import bind
from reconciler.desired import DATASET_LABEL, Desired
from reconciler.explain import own_name
from reconciler.find import find_artifacts, find_configurations, known_artifact
from reconciler.live import Artifact, Configuration, Deployment, Executable, Live
from reconciler.promotion import own_servers, promotions
from reconciler.unmanaged_model import Left, Object, Unmanaged
from reconciler.unmanaged_words import is_default, names, secret_among, typed, want
from reconciler.unmanaged_words import owner as owner_of

__all__ = ["unmanaged"]

SECTIONS = ("artifacts", "configurations", "executions", "deployments")


def unmanaged(
    scenario: Scenario,
    desired: Desired,
    live: Live,
    executables: Iterable[Executable],
    catalog: Mapping[str, Workflow],
) -> Unmanaged:
    """Everything in the scenario's part of `live` that `desired` (not bound yet) does not own.

    `scenario`: its spec, without entries where it has none yet. `executables`: those that AI Core offers.
    """
    finder = _Finder(scenario, bind(desired.ordered(), live), live, {e.id: e for e in executables}, catalog)
    return finder.run()


class _Finder:
    def __init__(
        self,
        scenario: Scenario,
        desired: Desired,
        live: Live,
        executables: Mapping[str, Executable],
        catalog: Mapping[str, Workflow],
    ) -> None:
        self._scenario, self._desired, self._live = scenario, desired, live
        self._executables, self._catalog = executables, catalog
        self._id = scenario.metadata.name
        self._entries: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
        self._objects: list[Object] = []
        self._left: list[Left] = []
        self._artifacts: dict[str, str] = {}  # artifact id -> name in the spec
        self._models: dict[str, KnownArtifact] = {}

    def run(self) -> Unmanaged:
        owned = self._owned()
        servers: dict[str, list[Deployment]] = {}
        for server in self._of(self._live.deployments):
            servers.setdefault(server.configuration, []).append(server)
        for artifact in self._of(self._live.artifacts):
            self._artifact(artifact)
        for configuration in self._of(self._live.configurations):
            if configuration.id in owned:
                continue
            if name := own_name(configuration):
                reason = f"corespec made it for `{name}`, of an earlier spec or of another project"
                self._left.append(Left("configuration", configuration.id, configuration.name, reason))
            elif configuration.id in servers:
                self._servers(configuration, servers[configuration.id])
            else:
                self._configuration(configuration)
        self._drop_unused_outputs()
        return Unmanaged(tuple(self._objects), tuple(sorted(self._left)), self._entries)

    def _drop_unused_outputs(self) -> None:
        """Of what runs have written only that which is somebody's input deserves a name of its own."""
        used = {
            name for c in self._entries["configurations"].values() for name in c.get("inputs", {}).values()
        }
        for server in self._entries["deployments"].values():
            used |= {item["dataset"] for item in server.get("inputs", {}).values()}
        for id_, name in self._artifacts.items():
            if name not in used and self._live.artifacts_by_id[id_].execution:
                del self._entries["artifacts"][name]
                self._objects = [one for one in self._objects if one.id != id_]

    def _of(self, items: Iterable[Any]) -> list[Any]:
        """Those of the scenario, oldest first."""
        return sorted((i for i in items if i.scenario == self._id), key=lambda i: (i.created_at, i.id))

    def _owned(self) -> set[str]:
        """Ids of the configurations that the specs ask for, or that serve one of their deployments."""
        found: set[str] = set()
        for wanted in self._desired.configurations:
            found |= {c.id for c in find_configurations(wanted, self._live)}
            found |= {wanted.adopted.id} if wanted.adopted else set()
        for promotion in promotions(self._desired, self._live):
            if promotion.configuration:
                found |= {c.id for c in find_configurations(promotion.configuration, self._live)}
            found |= {server.configuration for server in own_servers(promotion.wanted, self._live)}
        return found

    # -- artifacts --------------------------------------------------------------------------------------

    def _artifact(self, artifact: Artifact) -> None:
        """One that nobody's run has written, and that no dataset or artifact of the specs is."""
        if artifact.execution or self._spec_name(artifact):
            return
        if owner := artifact.labels.get(DATASET_LABEL):
            reason = f"corespec uploaded it as `{owner}`, of an earlier spec or of another project"
            self._left.append(Left("artifact", artifact.id, artifact.name, reason))
            return
        self._adopt_artifact(artifact)

    def _spec_name(self, artifact: Artifact) -> str | None:
        """What the specs call an artifact."""
        if artifact.id in self._artifacts:
            return self._artifacts[artifact.id]
        for dataset in self._desired.datasets:
            if dataset.scenario == self._id and find_artifacts(dataset, [artifact]):
                return dataset.name
        for known in self._desired.artifacts:
            if known.scenario == self._id and known_artifact(known, self._live.artifacts) == artifact:
                return known.name
        return None

    def _adopt_artifact(self, artifact: Artifact) -> str:
        made = artifact.execution
        base = f"{artifact.name}-of-{made}" if made else artifact.name
        name = self._free(base, ("datasets", "artifacts"))
        self._artifacts[artifact.id] = name
        self._entries["artifacts"][name] = entry = {"kind": artifact.kind, "id": artifact.id}
        self._models[name] = KnownArtifact.model_validate(entry)
        address = f"artifact/{self._id}/{name}"
        owner = owner_of(artifact)
        self._objects.append(Object("artifact", artifact.id, artifact.name, artifact.kind, address, owner))
        return name

    # -- configurations, executions, deployments --------------------------------------------------------

    def _configuration(self, configuration: Configuration) -> None:
        runs = self._live.executions_by_configuration.get(configuration.id, ())
        name = self._free(configuration.name, ("configurations", "executions"))
        inputs, missing = self._inputs(configuration)
        entry = {
            "executable": configuration.executable,
            "adopt": {"id": configuration.id},
            "observe": True,
            **({"inputs": inputs} if inputs else {}),
            **self._parameters(configuration),
        }
        where = ("configurations", name)
        if reason := missing or self._unfit(where, entry, ConfigurationSpec, configuration):
            self._left.append(Left("configuration", configuration.id, configuration.name, reason))
            return
        self._entries["configurations"][name] = entry
        address, owner = f"configuration/{self._id}/{name}", self._owner_of(configuration)
        id_, called, executable = configuration.id, configuration.name, configuration.executable
        self._objects.append(Object("configuration", id_, called, executable, address, owner))
        if runs:
            self._entries["executions"][name] = {"configuration": name, **want(runs)}
        address = f"execution/{self._id}/{name}"
        self._objects += [Object("execution", run.id, called, run.status, address) for run in runs]

    def _servers(self, configuration: Configuration, servers: list[Deployment]) -> None:
        inputs, missing = self._inputs(configuration)
        for server in servers:
            name = self._free(configuration.name, ("deployments",))
            entry = {
                "executable": configuration.executable,
                "adopt": {"id": server.id, "configuration": configuration.id},
                "observe": True,
                **({"inputs": {port: {"dataset": item} for port, item in inputs.items()}} if inputs else {}),
                **self._parameters(configuration),
            }
            reason = f"it is {server.status} and serves nothing more" if server.ended else missing
            plain = {**entry, "adopt": {"id": server.id}}
            if reason := reason or self._unfit(("deployments", name), plain, DeploymentSpec, configuration):
                self._left.append(Left("deployment", server.id, configuration.name, reason))
                continue
            self._entries["deployments"][name] = entry
            address, owner = f"deployment/{self._id}/{name}", self._owner_of(configuration)
            self._objects.append(
                Object("deployment", server.id, configuration.name, server.status, address, owner)
            )

    def _inputs(self, configuration: Configuration) -> tuple[dict[str, str], str]:
        """What each input is called in the spec; a reason where one is out of reach. Names what it meets."""
        found: dict[str, str] = {}
        for port, id_ in sorted(configuration.inputs.items()):
            artifact = self._live.artifacts_by_id.get(id_)
            if artifact is None or artifact.scenario != self._id:
                return {}, f"its input {port} is artifact {id_}, which is none of this scenario"
            found[port] = self._spec_name(artifact) or self._adopt_artifact(artifact)
        return found, ""

    def _workflow(self, executable: str) -> Workflow | None:
        spec = self._scenario.executables.get(executable)
        return self._catalog.get(spec.workflow) if spec else None

    def _parameters(self, configuration: Configuration) -> dict[str, Any]:
        """What it binds, and the defaults of AI Core's template in which it differs from our workflow."""
        workflow = self._workflow(configuration.executable)
        offered = self._executables.get(configuration.executable)
        values = dict(configuration.parameters)
        if workflow and offered:
            for name, default in offered.parameters.items():
                if default and name in workflow.parameters and not is_default(workflow, name, default):
                    values.setdefault(name, default)
        types = {name: one.type for name, one in workflow.parameters.items()} if workflow else {}
        found = {name: typed(value, types.get(name, "")) for name, value in sorted(values.items())}
        return {"parameters": found} if found else {}

    def _unfit(
        self, where: Path, entry: Mapping[str, Any], model: type[BaseModel], configuration: Configuration
    ) -> str:
        """Why an entry would be no spec; empty when it is one."""
        secret = secret_among(configuration.parameters)
        if secret:
            return f"its parameter {secret} sounds like a secret, and a spec holds none"
        try:
            made = model.model_validate(entry)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            return f"{dotted(first['loc'])}: {first['msg']}"
        section, name = str(where[0]), where[1]
        alone = self._scenario.model_copy(
            update={
                **{part: {} for part in ("configurations", "executions", "deployments")},
                "artifacts": {**self._scenario.artifacts, **self._models},
                section: {name: made},
            }
        )
        findings = Findings("", Positions())
        Linker(alone, findings, self._catalog).run()
        return findings.items[0].message.removeprefix(f"{dotted(where)}.") if findings.items else ""

    def _owner_of(self, configuration: Configuration) -> str:
        """A label of somebody else at the data that it reads: configurations themselves bear none."""
        artifacts = (self._live.artifacts_by_id.get(id_) for id_ in configuration.inputs.values())
        return next((owner for artifact in artifacts if artifact and (owner := owner_of(artifact))), "")

    def _free(self, wanted: str, sections: Collection[str]) -> str:
        """A legal name like the one in AI Core, which none of the sections has yet."""

        def taken(name: str) -> bool:
            return any(
                name in getattr(self._scenario, part) or name in self._entries.get(part, ())
                for part in sections
            )

        return next(name for name in names(wanted) if not taken(name))
