"""The place of one container on this machine: where its paths lie, and what it is started with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from localcore import objectstores
from localcore.engines.paths import rewrite
from localcore.workflow.errors import WorkflowError
from localcore.workflow.model import Container, Template
from localcore.workflow.resolve import resolve


class Node:
    """Declared paths lie below `nodes/<number>/root`, so that nested ones stay nested; claims are shared."""

    def __init__(self, workplace: Path, number: int, template: Template) -> None:
        if template.container is None:
            raise WorkflowError(f"template {template.name} has no container")
        self._template = template
        self._container: Container = template.container
        self._claims = workplace / "claims"
        self._folder = workplace / "nodes" / f"{number:03d}-{template.name}"
        self.scratch = self._folder / "scratch"
        self._paths = {path: str(self.locate(path)) for path in self._declared()}

    def _declared(self) -> set[str]:
        template = self._template
        found = {artifact.path for artifact in (*template.input_artifacts, *template.output_artifacts)}
        found |= {parameter.path for parameter in template.output_parameters}
        return {path for path in found | {mount.path for mount in self._container.mounts} if path}

    def locate(self, path: str) -> Path:
        """Where a path inside the container lies on this machine.

        Raises WorkflowError for one that climbs out.
        """
        if ".." in path.split("/"):
            raise WorkflowError(f"template {self._template.name}: the path {path} must not contain '..'")
        for mount in sorted(self._container.mounts, key=lambda mount: -len(mount.path)):
            if mount.shared and (path == mount.path or path.startswith(f"{mount.path}/")):
                return self._claims / mount.volume / path[len(mount.path) :].lstrip("/")
        return self._folder / "root" / path.lstrip("/")

    def prepare(self) -> None:
        """Create the folders that a pod would have before its container starts."""
        for folder in (self._folder / "root", self._folder / "work", self.scratch):
            folder.mkdir(parents=True, exist_ok=True)
        for path in self._declared():
            self.locate(path).parent.mkdir(parents=True, exist_ok=True)
        for mount in self._container.mounts:
            self.locate(mount.path).mkdir(parents=True, exist_ok=True)

    def drop_inputs(self) -> None:
        """Staged inputs are copies: give their space back as soon as the container has ended."""
        for artifact in self._template.input_artifacts:
            objectstores.remove(self.locate(artifact.path))

    def drop(self) -> None:
        """Give the space of a failed container back: nobody can ask for what it left."""
        objectstores.remove(self._folder)

    def _scope(self, scope: Mapping[str, str]) -> dict[str, str]:
        """The scope with the paths of this node's own artifacts and output parameters."""
        template = self._template
        own = {f"inputs.artifacts.{one.name}.path": one.path for one in template.input_artifacts}
        own |= {f"outputs.artifacts.{one.name}.path": one.path for one in template.output_artifacts}
        own |= {f"outputs.parameters.{one.name}.path": one.path for one in template.output_parameters}
        return {**scope, **own}

    def _text(self, text: str, scope: Mapping[str, str]) -> str:
        return rewrite(resolve(text, scope), self._paths)

    def arguments(self, scope: Mapping[str, str]) -> list[str]:
        """The argument list; a script's source becomes a file that its command is given."""
        local = self._scope(scope)
        found = [self._text(word, local) for word in (*self._container.command, *self._container.args)]
        if self._container.source is not None:
            script = self.scratch / "source"
            script.write_text(self._text(self._container.source, local), encoding="utf-8")
            found.append(str(script))
        return found

    def environment(
        self, scope: Mapping[str, str], secrets: Mapping[str, Mapping[str, str]]
    ) -> dict[str, str]:
        """The container's own variables; secrets by reference. Raises WorkflowError for a missing key."""
        local = self._scope(scope)
        found: dict[str, str] = {}
        for secret, prefix in self._container.env_from:
            found |= {f"{prefix}{key}": value for key, value in secrets[secret].items()}
        for name, value in self._container.env:
            found[name] = self._text(value, local)
        for name, secret, key in self._container.env_secrets:
            if key not in secrets[secret]:
                raise WorkflowError(f"template {self._template.name}: secret {secret} has no key {key}")
            found[name] = secrets[secret][key]
        return found

    def cwd(self, scope: Mapping[str, str]) -> Path:
        """The working directory: as declared where this machine has it, else a folder of the node's own."""
        wanted = self._text(self._container.working_dir, scope)
        if wanted and Path(wanted).is_dir():
            return Path(wanted)
        return self._folder / "work"

    def parameters(self) -> dict[str, str]:
        """Output parameters from their files. Raises WorkflowError for a missing one without default."""
        found = {}
        for parameter in self._template.output_parameters:
            place = self.locate(parameter.path)
            if place.is_file():
                found[parameter.name] = place.read_text(encoding="utf-8", errors="replace").rstrip("\n")
            elif parameter.default is not None:
                found[parameter.name] = parameter.default
            else:
                message = f"output parameter {parameter.name}: the container left nothing at {parameter.path}"
                raise WorkflowError(message)
        return found
