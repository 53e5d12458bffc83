"""Taking what AI Core has already into the specs: found, put into words, and proven before a byte is written.

The proof is a whole look at the project as it would be: specs read from the candidate text, rendered, and
planned against AI Core. Only a plan that uploads, creates, starts, stops and changes nothing lets it in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generator.edit import add_to_spec, respelled
from generator.emit import emit
from generator.errors import Diagnostic, InputError
from generator.project import project_catalog
from generator.spec.document import Scenario
from generator.spec.parse import parse
from generator.spec.reader import MAX_BYTES, read
from generator.tree import Tree
from reconciler.aicore import AICore
from reconciler.clock import Clock
from reconciler.commits import specs_at
from reconciler.connection import connect_readonly
from reconciler.errors import ConflictError, InputRejectedError
from reconciler.gitops import Checkout
from reconciler.live import Live
from reconciler.observe import observe
from reconciler.plan import plan
from reconciler.plan_model import Plan, Problem, StageName
from reconciler.unmanaged import unmanaged
from reconciler.unmanaged_model import Unmanaged
from reconciler.vouching import contents, unvouched, vouched
from reconciler.workbench import Bench, equip

__all__ = ["Adopter", "Adoption"]

_SPECS = "specs"
_HEAD = (
    "# yaml-language-server: $schema=schema.json\n"
    "# Adopted from AI Core by `corespec adopt`; docs/spec.md explains every key.\n"
)
#: What these stages do was pending before, starts nothing, and touches nothing that was adopted.
_HARMLESS = frozenset({StageName.ONBOARD, StageName.PUBLISH, StageName.SYNC})


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was found in a scenario, and the spec file that names it: proven, and not written yet."""

    environment: str
    scenario: str
    path: str  #: of the spec file, relative to the project
    before: str | None  #: its text; None where there is no such file
    after: str
    found: Unmanaged
    completed: tuple[str, ...]  #: addresses whose `adopt.content` is filled in, which was not known before
    plan: Plan

    @property
    def changed(self) -> bool:
        return self.after != (self.before or "")

    @property
    def respelled(self) -> int:
        """Lines of the file that are written in another way, because a section of it stands in braces."""
        return respelled(self.before, self.after) if self.before else 0

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Objects that bear somebody else's label, and what the plan warns of."""
        claimed = [
            Problem(
                one.address,
                "other-owner",
                f"{one.kind} {one.name} ({one.id}) bears {one.owner}",
                "Ask its owner before you remove `observe: true`.",
            )
            for one in self.found.objects
            if one.owner
        ]
        return tuple(sorted({*claimed, *self.plan.warnings}))


class Adopter:
    """One look for things to adopt, in one scenario of one environment. Methods raise InputError,
    RepositoryError and ReconcilerError.
    """

    def __init__(
        self, root: Path, environment: str, catalog: Sequence[Path], clock: Clock, scenario: str
    ) -> None:
        self._root, self._environment, self._catalog = root, environment, tuple(catalog)
        self._clock, self._scenario = clock, scenario

    def find(self) -> Adoption:
        """Everything that can be adopted, as a proven spec. Raises ConflictError, naming each address, where
        the plan over it would do something.
        """
        path, before, written = self._spec()
        base = before if before is not None else self._new()
        bench = self._bench({path: base})
        aicore = connect_readonly(bench.environment, self._root, self._clock)
        live = self._holdings(aicore)
        catalog = project_catalog(self._root, self._catalog)
        found = unmanaged(written, bench.desired, live, aicore.executables(self._scenario), catalog)
        values = unvouched(bench.desired, self._scenario, written, live)
        if any(found.entries.values()):
            # A fingerprint is that of the resolved entry: known only once the specs are read with it.
            first = add_to_spec(path, base, vouched(found.entries, {}))
            digits = contents(self._bench({path: first}).desired, self._scenario)
            found = replace(found, entries=vouched(found.entries, digits))
        text = add_to_spec(path, base, found.entries, values)
        completed = tuple(f"configuration/{self._scenario}/{where[1]}" for where in values)
        nothing = not any(found.entries.values()) and not values
        made = self._prove(path, base if nothing else text, aicore)
        after = before or "" if nothing else text
        return Adoption(self._environment, self._scenario, path, before, after, found, completed, made)

    def write(self, adoption: Adoption) -> None:
        """Put the proven text in place at once. Raises ConflictError where the file has changed meanwhile."""
        tree = Tree(self._root)
        now = tree.read(adoption.path)
        if (None if now is None else now.decode("utf-8", "replace")) != adoption.before:
            raise ConflictError(
                f"{adoption.path} has changed since it was read; nothing is written.", remedy="Run again."
            )
        tree.write(adoption.path, adoption.after.encode("utf-8"))

    # -- parts ------------------------------------------------------------------------------------------

    def _spec(self) -> tuple[str, str | None, Scenario]:
        """Path, text and model of the scenario's spec; a free path and an empty model where it has none."""
        folder = self._root / _SPECS
        for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            name = f"{_SPECS}/{file.name}"
            with file.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
            parsed = parse(read(name, content), Scenario)
            if parsed.salvaged and parsed.salvaged.metadata.name == self._scenario:
                if parsed.model is None:
                    raise InputError(parsed.diagnostics)
                return name, content.decode("utf-8"), parsed.model
        path = f"{_SPECS}/{self._scenario}.yaml"
        if (self._root / path).exists():
            message = f"the spec of scenario `{self._scenario}` would be written here; move this file"
            raise InputError([Diagnostic(path, 1, 1, "file-exists", message)])
        parsed = parse(read(path, self._new().encode()), Scenario)
        if parsed.model is None:
            raise InputError(parsed.diagnostics)
        return path, None, parsed.model

    def _new(self) -> str:
        document = {"apiVersion": "corespec/v1", "kind": "Scenario", "metadata": {"name": self._scenario}}
        return _HEAD + emit(document)

    def _bench(self, files: Mapping[str, str]) -> Bench:
        """The project with these files in it, on this machine's data."""
        candidate = _Candidate(self._root, {path: text.encode() for path, text in files.items()})
        specs = specs_at(candidate, "", self._root, self._environment, self._catalog)
        return equip(specs.resolved, self._root, self._clock)

    def _holdings(self, aicore: AICore) -> Live:
        name = self._scenario
        live = Live(
            observed_at=self._clock.now(),
            artifacts=aicore.artifacts(name),
            configurations=aicore.configurations(name),
            executions=aicore.executions(name),
            deployments=aicore.deployments(name),
        )
        if not (live.artifacts or live.configurations or aicore.executables(name)):
            raise InputRejectedError(
                f"AI Core holds nothing in a scenario {name!r}.",
                remedy="Compare its id with the Launchpad, and resourceGroup with the environment.",
            )
        return live

    def _prove(self, path: str, text: str, aicore: AICore) -> Plan:
        bench = self._bench({path: text})
        git = Checkout(self._root, bench.environment)
        git.fetch()
        live = observe(aicore, bench.desired, bench.stores, git, self._clock)
        made = plan(bench.desired, live, bench.environment.policy)
        refuse_deeds(made)
        return made


def refuse_deeds(made: Plan) -> None:
    """Raise ConflictError for a plan that does more than onboard, publish and sync."""
    deeds = [
        f"{change.address}: {change.action.value}: {change.reason}"
        for stage in made.stages
        if stage.name not in _HARMLESS
        for change in stage.changes
    ]
    faults = [f"{problem.address}: {problem.message}" for problem in made.errors]
    if deeds or faults:
        raise ConflictError(
            "The plan over the adopted specs is not without consequences; nothing is written:\n"
            + "\n".join([*faults, *deeds]),
            remedy="Apply or suspend what was pending before, then adopt again.",
        )


class _Candidate:
    """The working tree with some files in another state, as `specs_at` reads a commit."""

    def __init__(self, root: Path, instead: Mapping[str, bytes]) -> None:
        self._root, self._instead = root, instead

    def files(self, revision: str, folder: str) -> dict[str, bytes]:
        del revision
        found = {
            path.relative_to(self._root).as_posix(): path.read_bytes()
            for path in sorted((self._root / folder).rglob("*"))
            if path.is_file()
        }
        return found | {path: text for path, text in self._instead.items() if path.startswith(f"{folder}/")}

    def read(self, revision: str, path: str) -> bytes | None:
        del revision
        file = self._root / path
        return self._instead.get(path) or (file.read_bytes() if file.is_file() else None)
