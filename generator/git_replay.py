"""What corespec committed here, on top of what others pushed meanwhile.

A rebase of generated files: each of our commits is applied again, file by file. A file that both sides
changed to different content is a conflict, for lines of generated files are not merged. Only objects are
made: no branch, index or file is touched, so there is nothing to abort.
"""

from __future__ import annotations

from generator.errors import RepositoryError
from generator.git_commands import GitCommands
from generator.git_objects import Author, Entry, commit, entries


def replay(git: GitCommands, upstream: str, folder: str) -> str:
    """The commits of HEAD that `upstream` lacks, on top of it: the last one's id; `upstream` where it has all
    that they do.

    `folder` (from the top of the clone) is where rendered files lie. Raises RepositoryError for commits that
    touch anything else, and for conflicts.
    """
    ours = _ours(git, upstream, folder)
    here = entries(git, upstream, folder)
    tip = upstream
    for name in ours:
        changes = _changes(git, name)
        needed = {path: new for path, (_, new) in changes.items() if here.get(path) != new}
        conflicts = [path for path in needed if here.get(path) != changes[path][0]]
        if conflicts:
            raise RepositoryError(_conflict(git, upstream, conflicts))
        if needed:
            tip = commit(git, tip, needed, _message(git, name), _author(git, name))
            here = {path: entry for path, entry in {**here, **needed}.items() if entry}
    return tip


def _ours(git: GitCommands, upstream: str, folder: str) -> list[str]:
    """Commits of HEAD that `upstream` lacks, oldest first; each is ours, or an error is raised."""
    listed = git.run("list commits", "rev-list", "--reverse", "--parents", "HEAD", f"^{upstream}")
    commits = [line.split() for line in listed.splitlines()]
    foreign = [names[0] for names in commits if len(names) != 2 or not _is_below(git, names[0], folder)]
    if foreign:
        count = "a commit" if len(foreign) == 1 else f"{len(foreign)} commits"
        raise RepositoryError(
            f"the remote branch has commits that are not here, and here is {count} of your own that it does "
            f"not have ({foreign[0][:10]}); run `git pull --rebase`, then publish again"
        )
    return [names[0] for names in commits]


def _is_below(git: GitCommands, name: str, folder: str) -> bool:
    return all(path.startswith(f"{folder}/") for path in _changes(git, name))


def _changes(git: GitCommands, name: str) -> dict[str, tuple[Entry | None, Entry | None]]:
    """What a commit did to files: entry before and after, by path."""
    flags = ("-r", "-z", "--raw", "--no-renames", "--no-commit-id", "--no-abbrev")
    words = git.run("read a commit", "diff-tree", *flags, name).split("\0")
    found: dict[str, tuple[Entry | None, Entry | None]] = {}
    for facts, path in zip(words[0::2], words[1::2], strict=False):
        old_mode, new_mode, old, new, _ = facts.removeprefix(":").split()
        found[path] = (_entry(old_mode, old), _entry(new_mode, new))
    return found


def _entry(mode: str, name: str) -> Entry | None:
    return Entry(mode, name) if mode.strip("0") else None


def _message(git: GitCommands, name: str) -> str:
    return git.run("read a commit", "log", "-1", "--format=%B", name)


def _author(git: GitCommands, name: str) -> Author:
    fields = git.run("read a commit", "log", "-1", "--format=%an%x00%ae%x00%ad", "--date=raw", name)
    return Author(*fields.split("\0"))


def _conflict(git: GitCommands, upstream: str, paths: list[str]) -> str:
    base = git.run("find the common commit", "merge-base", "HEAD", upstream)
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return (
        f"the remote branch has another {min(paths)}{more}; your branch is as it was. Run "
        f"`git reset --keep {base[:12]}` (it drops only what corespec rendered) and `git pull --ff-only`, "
        "then publish again"
    )
