"""What Git said, as an error that says what to do: transient or not, and never with a credential in it."""

from __future__ import annotations

import re
from typing import NamedTuple

from git.exc import GitCommandError

from generator.errors import RepositoryError

_CREDENTIALS_IN_URL = re.compile(r"(\w+://)[^/@\s]*@")
_MAX_REASON = 400


class _Pattern(NamedTuple):
    words: re.Pattern[str]
    remedy: str
    transient: bool = False


# First match wins: a rejected push also says "failed to push some refs".
_PATTERNS = (
    _Pattern(
        re.compile(r"non-fast-forward|fetch first|stale info", re.IGNORECASE),
        "the remote branch has commits that are not here; run `git pull --ff-only`, render and publish again",
    ),
    _Pattern(
        re.compile(r"remote rejected|hook declined|protected branch|deny updating|GH006", re.IGNORECASE),
        "the server refuses the push; ask for the right to push to this branch, or publish as a pull request",
    ),
    _Pattern(
        re.compile(
            r"authentication failed|could not read (username|password)|permission denied|invalid username"
            r"|access denied|returned error: 40[13]|terminal prompts disabled",
            re.IGNORECASE,
        ),
        "the credentials do not work; check `git.username` and `git.password` of the environment",
    ),
    _Pattern(
        re.compile(
            r"could not resolve host|timed? ?out|connection (refused|reset)|hung up|early EOF"
            r"|returned error: 5\d\d|index\.lock|cannot lock ref|network is unreachable",
            re.IGNORECASE,
        ),
        "the repository cannot be reached right now; try again",
        transient=True,
    ),
    _Pattern(
        re.compile(
            r"does not appear to be a git repository|repository .*not found|No such remote", re.IGNORECASE
        ),
        "there is no such repository; check the remote with `git remote -v`",
    ),
    _Pattern(
        re.compile(r"Not possible to fast-forward|diverging branches", re.IGNORECASE),
        "the local and the remote branch have diverged; rebase or merge by hand",
    ),
    _Pattern(
        re.compile(r"would be overwritten", re.IGNORECASE),
        "local changes stand in the way; commit or discard them first",
    ),
)


def repository_error(action: str, error: GitCommandError) -> RepositoryError:
    """The error for a Git command that failed while doing `action` ("push main to origin")."""
    said = redact(str(error.stderr or error.stdout or ""))
    pattern = next((item for item in _PATTERNS if item.words.search(said)), None)
    remedy = pattern.remedy if pattern else "see the reason above"
    return RepositoryError(
        f"cannot {action}: {_reason(said)}; {remedy}", transient=bool(pattern and pattern.transient)
    )


def redact(text: str) -> str:
    """Text without user names and passwords inside of URLs."""
    return _CREDENTIALS_IN_URL.sub(r"\1", text)


def _reason(said: str) -> str:
    """The lines that carry the reason, on one line. GitPython wraps them in `stderr: '…'`."""
    text = said.strip().removeprefix("stderr:").strip().strip("'")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("hint:")]
    return " / ".join(lines)[:_MAX_REASON] or "git gave no reason"
