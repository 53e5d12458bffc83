"""What Git said, as an error that says what to do: transient or not, and never with a credential in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from git.exc import GitCommandError

from generator.errors import RepositoryError

_CREDENTIALS_IN_URL = re.compile(r"(\w+://)[^/\s]*@")
_AUTHORIZATION = re.compile(r"((?:proxy-)?authorization:\s*)[^'\"\n]*", re.IGNORECASE)
_MAX_REASON = 400
_MIN_SECRET = 4  # characters


class RemoteMovedError(RepositoryError):
    """The remote branch has commits that the pushed one does not build on."""


class MissingRevisionError(RepositoryError):
    """The remote does not have what was asked for."""


class _Pattern(NamedTuple):
    words: re.Pattern[str]
    remedy: str
    transient: bool = False
    kind: type[RepositoryError] = RepositoryError


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


# First match wins: a rejected push also says "failed to push some refs". Two pushes at the same time end on
# the server in a lock or an old value, which means the same as the usual refusal.
_PATTERNS = (
    _Pattern(
        _pattern(
            r"non-fast-forward|fetch first|stale info|remote rejected.*(cannot lock ref|failed to update ref"
            r"|failed to lock|incorrect old value|reference already exists)"
        ),
        "the remote branch has commits that are not here; run `git pull --ff-only`, render and publish again",
        kind=RemoteMovedError,
    ),
    _Pattern(
        _pattern(r"remote rejected|hook declined|protected branch|deny updating|GH006|TF402455"),
        "the server refuses the push; ask for the right to push to this branch, or publish as a pull request",
    ),
    _Pattern(
        _pattern(r"dubious ownership"),
        "the folder belongs to another user; run `git config --global --add safe.directory` with its path",
    ),
    _Pattern(
        _pattern(r"transport '[^']*' not allowed|protocol .* is not supported|unable to find remote helper"),
        "the remote uses a transport that is not allowed; correct its URL with `git remote set-url`",
    ),
    _Pattern(
        _pattern(
            r"authentication failed|could not read (username|password)|permission denied|invalid username"
            r"|access denied|returned error: 40[13]|terminal prompts disabled"
        ),
        "the credentials do not work; check `git.username` and `git.password` of the environment",
    ),
    _Pattern(
        _pattern(
            r"could not resolve host|timed? ?out|connection (refused|reset)|hung up|early EOF"
            r"|returned error: 5\d\d|index\.lock|cannot lock ref|network is unreachable|couldn't connect"
            r"|failed to connect"
        ),
        "the repository cannot be reached right now; try again",
        transient=True,
    ),
    _Pattern(
        _pattern(r"does not appear to be a git repository|repository .*not found|No such remote"),
        "there is no such repository; check the remote with `git remote -v`",
    ),
    _Pattern(
        _pattern(r"couldn't find remote ref|not our ref|unadvertised object|no such remote ref"),
        "the remote does not have it",
        kind=MissingRevisionError,
    ),
    _Pattern(
        _pattern(r"Not possible to fast-forward|diverging branches"),
        "the local and the remote branch have diverged; rebase or merge by hand",
    ),
    _Pattern(
        _pattern(r"would be overwritten|not uptodate|would be lost"),
        "local changes stand in the way; commit or discard them first",
    ),
)


def repository_error(action: str, error: GitCommandError, secrets: Iterable[str] = ()) -> RepositoryError:
    """The error for a Git command that failed while doing `action` ("push main to origin")."""
    raw = str(error.stderr or error.stdout or "")
    pattern = next((item for item in _PATTERNS if item.words.search(raw)), None)
    said = redact(raw, secrets)
    remedy = pattern.remedy if pattern else "see the reason above"
    kind = pattern.kind if pattern else RepositoryError
    return kind(f"cannot {action}: {_reason(said)}; {remedy}", transient=bool(pattern and pattern.transient))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Text without user names and passwords in URLs, authorization headers, and `secrets` themselves.

    A secret of a letter or two is in every text and tells nothing; it is left alone.
    """
    text = _AUTHORIZATION.sub(r"\1***", _CREDENTIALS_IN_URL.sub(r"\1", text))
    for secret in secrets:
        if len(secret) >= _MIN_SECRET:
            text = text.replace(secret, "***")
    return text


def _reason(said: str) -> str:
    """The lines that carry the reason, on one line. GitPython wraps them in `stderr: '…'`."""
    text = said.strip().removeprefix("stderr:").strip().strip("'")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("hint:")]
    return " / ".join(lines)[:_MAX_REASON] or "git gave no reason"
