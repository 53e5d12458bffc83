"""What no spec wants any more, and `--prune` takes away: executions and deployments of ours. Pure.

AI Core deletes neither configurations nor artifacts; they stay `retired`. What may have to stay stays, and
the plan says why: what is protected or may be, what runs, what something in use was made from, and what has
no successor yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from generator.spec.operations import Prune
from reconciler.desired import Desired
from reconciler.explain import own_name
from reconciler.health import Reason, RunState
from reconciler.live import Deployment, Execution, Live
from reconciler.plan_model import Action, Category, Change, Problem

__all__ = ["Permission", "Pruned", "Pruning", "Thing", "Word", "plan_prune", "unwanted"]

#: States in which AI Core deletes; UNKNOWN is one too, but what is in it may begin to run at any moment.
_ENDED = frozenset({"COMPLETED", "STOPPED", "DEAD"})
_STOPPABLE = frozenset({"PENDING", "RUNNING"})
#: Ids that are named of what is kept for one reason.
_NAMED = 5


class Word(StrEnum):
    """What Git's history says about a thing that no spec wants any more."""

    FREE = "free"  #: where it was last wanted, nobody protected it
    PROTECTED = "protected"
    UNSHOWN = "unshown"  #: no commit that can be read shows that it was ours, and free


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """What an execution ran, or a deployment: by this the history of the specs is asked about it."""

    kind: Literal["deployment", "execution"]
    scenario: str
    executable: str
    name: str  #: of the configuration that was run; of the deployment

    @property
    def address(self) -> str:
        return f"{self.kind}/{self.scenario}/{self.name}"


@dataclass(frozen=True, slots=True)
class Permission:
    """What a person allows. `limit`: so many, instead of the policy's percentage and number."""

    limit: int | None = None
    stop_running: bool = False


@dataclass(frozen=True, slots=True)
class Pruning:
    """`gone`: how many this apply has taken away already."""

    allowed: Permission
    words: Mapping[Thing, Word] = field(default_factory=dict)
    gone: int = 0


@dataclass(frozen=True, slots=True)
class Pruned:
    """The part of a plan that takes away."""

    changes: tuple[Change, ...] = ()
    kept: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()


def unwanted(desired: Desired, live: Live) -> dict[Thing, list[Execution | Deployment]]:
    """Executions and deployments of ours that no spec wants. `desired` is bound, and whole.

    What is wanted of an execution whose input does not exist yet is not known: then none of its runs is
    unwanted. What a spec has adopted is wanted, whatever its name.
    """
    adopted = {one.adopted.id for one in desired.configurations if one.adopted}
    adopted |= {one.adopted.id for one in desired.deployments if one.adopted}
    found: defaultdict[Thing, list[Execution | Deployment]] = defaultdict(list)
    names = {(e.configuration.scenario, e.configuration.full_name) for e in desired.executions}
    waiting = {
        (e.configuration.scenario, e.configuration.executable, e.configuration.name)
        for e in desired.executions
        if e.configuration.waits_for
    }
    for run in live.executions:
        thing = _thing("execution", run, live)
        if thing is None or run.configuration in adopted:
            continue
        if (thing.scenario, thing.executable, thing.name) in waiting:
            continue
        if (thing.scenario, live.configurations_by_id[run.configuration].name) not in names:
            found[thing].append(run)
    servers = {(d.scenario, d.executable, d.name) for d in desired.deployments}
    for server in live.deployments:
        thing = _thing("deployment", server, live)
        if thing is None or server.id in adopted:
            continue
        if (thing.scenario, thing.executable, thing.name) not in servers:
            found[thing].append(server)
    return {thing: found[thing] for thing in sorted(found)}


def _thing(
    kind: Literal["deployment", "execution"], item: Execution | Deployment, live: Live
) -> Thing | None:
    """None for what is not ours: its configuration bears no content hash."""
    configuration = live.configurations_by_id.get(item.configuration)
    name = own_name(configuration) if configuration else None
    if configuration is None or name is None:
        return None
    return Thing(kind, configuration.scenario, configuration.executable, name)


def plan_prune(
    desired: Desired,
    live: Live,
    states: Mapping[str, RunState],
    serving: Iterable[str],
    policy: Prune,
    pruning: Pruning,
) -> Pruned:
    """Everything to stop and to delete, and why the rest stays.

    `states`: of the wanted executions, by address. `serving`: names of the configurations that deployments
    serve or shall serve.
    """
    found = unwanted(desired, live)
    judge = _Judge(desired, live, states, frozenset(serving), pruning)
    changes: list[Change] = []
    kept: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for thing, items in found.items():
        for item in sorted(items, key=lambda one: (one.created_at, one.id)):
            why = judge.keeps(thing, item)
            if why:
                kept[thing.address, why].append(item.id)
            else:
                changes.append(_change(thing, item, pruning.allowed))
    owned = sum(_thing("execution", run, live) is not None for run in live.executions)
    owned += sum(_thing("deployment", server, live) is not None for server in live.deployments)
    return Pruned(
        tuple(changes),
        tuple(_kept(address, why, ids) for (address, why), ids in sorted(kept.items())),
        tuple(_forbidden(len(changes), owned, policy, pruning)),
    )


def _change(thing: Thing, item: Execution | Deployment, allowed: Permission) -> Change:
    gone = f"no spec wants {item.configuration_name} any more; it is {item.status}"
    if _ending(item):
        action, reason = Action.WAIT, f"{gone}, and AI Core is about to end it"
    elif allowed.stop_running and item.status in _STOPPABLE:
        action, reason = Action.STOP, f"{gone}, and is deleted once it has stopped"
    else:
        action, reason = Action.PRUNE, gone
    return Change(thing.address, action, Category.PRUNE, reason, item.id, subject=item)


def _ending(item: Execution | Deployment) -> bool:
    if item.status in {"STOPPING", "DELETING"} or item.target_status == "DELETED":
        return True
    return item.target_status == "STOPPED" and item.status not in _ENDED


@dataclass(frozen=True, slots=True)
class _Judge:
    desired: Desired
    live: Live
    states: Mapping[str, RunState]
    serving: frozenset[str]
    pruning: Pruning
    used: set[str] = field(init=False)
    protected: set[tuple[str, str, str]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "used", set(self._used()))
        object.__setattr__(self, "protected", set(self._protected()))

    def keeps(self, thing: Thing, item: Execution | Deployment) -> str:
        """Why it has to stay; empty when it may go."""
        if (thing.kind, thing.scenario, thing.name) in self.protected:
            return "the spec protects it"
        word = self.pruning.words.get(thing, Word.UNSHOWN)
        if word is Word.PROTECTED:
            return "it was protected when its block was last in the specs"
        if word is Word.UNSHOWN:
            return "the history of the specs does not show that it was ours and not protected"
        if any(output.id in self.used for output in self.live.outputs_by_execution.get(item.id, ())):
            return "what it has written is in use"
        if self._has_no_successor(thing, item):
            return "what takes its place is not there yet"
        runs = item.status not in _ENDED and not _ending(item)
        if runs and not self.pruning.allowed.stop_running:
            return f"it is {item.status}; --stop-running stops it"
        if runs and item.status not in {*_STOPPABLE, "UNKNOWN"}:
            return f"AI Core reports the state {item.status}"
        return ""

    def _protected(self) -> Iterator[tuple[str, str, str]]:
        for run in self.desired.executions:
            if run.protect:
                yield "execution", run.configuration.scenario, run.configuration.name
        for server in self.desired.deployments:
            if server.protect:
                yield "deployment", server.scenario, server.name

    def _used(self) -> Iterator[str]:
        """Ids of the artifacts that wanted or running things read."""
        wanted = {e.configuration.full_name for e in self.desired.executions} | self.serving
        living = {d.configuration for d in self.live.deployments if not d.ended}
        living |= {one.adopted.id for one in self.desired.configurations if one.adopted}
        living |= {run.configuration for run in self.live.executions if run.active}
        for configuration in self.live.configurations:
            if configuration.name in wanted or configuration.id in living:
                yield from configuration.inputs.values()

    def _has_no_successor(self, thing: Thing, item: Execution | Deployment) -> bool:
        """What has completed, or serves, stays until what the specs want in its place has."""
        if isinstance(item, Deployment):
            places = [
                d for d in self.desired.deployments if (d.scenario, d.name) == (thing.scenario, thing.name)
            ]
            return item.status == "RUNNING" and bool(places) and not self._serves(thing)
        if item.status != "COMPLETED":
            return False
        return any(
            self.states[wanted.address].verdict.reason not in {Reason.COMPLETED, Reason.NOT_WANTED}
            for wanted in self.desired.executions
            if (wanted.configuration.scenario, wanted.configuration.name) == (thing.scenario, thing.name)
        )

    def _serves(self, thing: Thing) -> bool:
        wanted = {(d.scenario, d.executable) for d in self.desired.deployments if d.name == thing.name}
        return any(
            server.status == "RUNNING"
            and (server.scenario, server.executable) in wanted
            and (configuration := self.live.configurations_by_id.get(server.configuration))
            and own_name(configuration) == thing.name
            for server in self.live.deployments
        )


def _kept(address: str, why: str, ids: list[str]) -> Problem:
    named = ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
    return Problem(
        address, "kept", f"not pruned: {why} ({named})", "docs/reconcile.md says what is kept, and why."
    )


def _forbidden(number: int, owned: int, policy: Prune, pruning: Pruning) -> Iterator[Problem]:
    """Whether it is too much for one apply; what is gone already counts."""
    taken, all_of_it = number + pruning.gone, owned + pruning.gone
    if not number:
        return
    if taken >= all_of_it:
        yield Problem(
            "policy/prune",
            "policy",
            f"--prune would take away everything of ours: all {taken} executions and deployments",
            "Specs that want nothing are mostly a mistake, so nothing allows this. "
            "If it is meant, delete the last one in AI Core.",
        )
        return
    limit = pruning.allowed.limit
    if limit is not None:
        too_much, said = taken > limit, f"--prune-limit allows {limit}"
    else:
        too_much = taken > policy.max_objects or taken * 100 > policy.max_percent * all_of_it
        said = f"policy.prune allows {policy.max_objects}, and {policy.max_percent} % of {all_of_it}"
    if too_much:
        yield Problem(
            "policy/prune",
            "policy",
            f"--prune would take away {taken} of the {all_of_it} executions and deployments of ours; {said}",
            f"Look at the lines above; to allow them once, give --prune-limit {taken}.",
        )
