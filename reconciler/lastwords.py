"""What the specs last said about things that they want no more: read from Git, because nothing else keeps it.

AI Core can label neither configurations nor executions, and a block that is gone says nothing. So whoever
removes a block has to have it there unprotected first. What cannot be read is never taken for permission:
without a commit that shows a thing as wanted and free (a shallow clone, a history that was rewritten) it is
not shown, and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from generator.errors import InputError
from generator.spec.resolve import Resolved
from reconciler.commits import Specs
from reconciler.prune import Thing, Word

#: Revisions of the specs that are read at most, on each line of history.
DEPTH = 200
_FIELD = b"protect"


class History(Protocol):
    """A Git repository, as far as it is asked here."""

    def mainlines(self, path: str, limit: int) -> tuple[tuple[str, ...], ...]:
        """Revisions that changed `path`, latest first: of what is checked out, and of the branch."""
        ...

    def files(self, revision: str, folder: str) -> dict[str, bytes]:
        """Content of every plain file below a folder at a known revision, by path."""
        ...


def last_words(
    things: Collection[Thing], now: Resolved, git: History, specs: Callable[[str], Specs]
) -> dict[Thing, Word]:
    """The last word about each thing. `now`: the specs as they are; `specs` reads those of a commit."""
    present = _said(now)
    lines = [_on_one_line(things, revisions, git, specs) for revisions in git.mainlines("specs", DEPTH)]
    return {
        thing: _together([found[thing] for found in lines], present.get(thing)) for thing in sorted(things)
    }


def _together(words: Iterable[Word | None], present: Word | None) -> Word:
    """On several lines of history: one that protects, or that cannot be read, outweighs the others."""
    said = {present, *words}
    for word in (Word.PROTECTED, Word.UNSHOWN, Word.FREE):
        if word in said:
            return word
    return Word.UNSHOWN


def _on_one_line(
    things: Collection[Thing], revisions: Iterable[str], git: History, specs: Callable[[str], Specs]
) -> dict[Thing, Word | None]:
    """None for a thing that no revision wants; UNSHOWN from a revision on that may have protected it."""
    found: dict[Thing, Word | None] = dict.fromkeys(things)
    for revision in revisions:
        missing = [thing for thing, word in found.items() if word is None]
        if not missing:
            break
        try:
            said = _said(specs(revision).resolved)
        except InputError:
            # Specs that were never valid asked for nothing; but protecting is honoured even so.
            if any(_FIELD in content for content in git.files(revision, "specs").values()):
                return {thing: word or Word.UNSHOWN for thing, word in found.items()}
            continue
        found |= {thing: said[thing] for thing in missing if thing in said}
    return found


def _said(resolved: Resolved) -> Mapping[Thing, Word]:
    """Everything that some specs want, and whether they protect it."""
    executables = {(c.scenario, c.name): c.executable for c in resolved.configurations}
    wanted = [
        (Thing("execution", e.scenario, executables[e.scenario, e.configuration], e.configuration), e.protect)
        for e in resolved.executions
    ]
    wanted += [
        (Thing("deployment", d.scenario, d.executable, d.name), d.protect) for d in resolved.deployments
    ]
    protected = {thing for thing, protect in wanted if protect}
    return {thing: Word.PROTECTED if thing in protected else Word.FREE for thing, _ in wanted}
