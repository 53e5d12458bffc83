"""Under which variables git runs, and which remotes and names it is given.

Nobody is asked for a password; credentials go to the remote's own host and nowhere else; a remote that names
a program instead of a place is refused, whatever this machine's configuration allows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from git import Repo

from generator.errors import RepositoryError

#: Transports that are let through; `ext::` and other helpers run programs.
PROTOCOLS = ("file", "git", "http", "https", "ssh")

# Git asks this helper; the values stand in the environment of the git process and nowhere else.
_HELPER = (
    r"!f() { printf 'username=%s\npassword=%s\n' "
    '"$CORESPEC_GIT_USERNAME" "$CORESPEC_GIT_PASSWORD"; }; f'
)
_HELPER_URL = re.compile(r"[A-Za-z0-9+.-]+::")


@dataclass(frozen=True)
class Credentials:
    """User name and password (or token) for a repository over HTTPS."""

    username: str = field(repr=False)
    password: str = field(repr=False)


def variables(credentials: Credentials | None, urls: Iterable[str]) -> dict[str, str]:
    """Variables for every git command: no prompts, plain messages, literal paths, credentials for `urls`."""
    result = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS": "true",
        "LC_ALL": "C",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_ALLOW_PROTOCOL": _allowed(),
    }
    if "GIT_SSH_COMMAND" not in os.environ:
        result["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
    hosts = sorted({host for host in map(_host, urls) if host})
    if credentials and hosts:
        _check_lines(credentials)
        result |= {
            "CORESPEC_GIT_USERNAME": credentials.username,
            "CORESPEC_GIT_PASSWORD": credentials.password,
            **_configuration(
                {"credential.helper": ""} | {f"credential.{host}.helper": _HELPER for host in hosts}
            ),
        }
    return result


def identity(repo: Repo) -> dict[str, str]:
    """A name for commits where nobody configured one, as on a CI machine."""
    nameless = [role for role in ("AUTHOR", "COMMITTER") if f"GIT_{role}_EMAIL" not in os.environ]
    if not nameless or os.environ.get("EMAIL") or repo.git.config("--get", "--default", "", "user.email"):
        return {}
    result: dict[str, str] = {}
    for role in nameless:
        result |= {f"GIT_{role}_NAME": "corespec", f"GIT_{role}_EMAIL": "corespec@localhost"}
    return result


def check_url(url: str) -> None:
    """Refuse a remote that git could take for an option or a program. Raises RepositoryError."""
    scheme = url.partition("://")[0] if "://" in url else ""
    authority = url.partition("://")[2].rpartition("@")[2] if scheme else url.rpartition("@")[2]
    if (
        url.startswith("-")
        or not url.isprintable()
        or _HELPER_URL.match(url)
        or (scheme and scheme.lower() not in PROTOCOLS)
        or authority.startswith("-")
    ):
        raise RepositoryError(
            "the URL of the remote is none that corespec pushes to: it has to be a folder or one of "
            f"{', '.join(PROTOCOLS)}; correct it with `git remote set-url`"
        )


def check_branch(name: str) -> str:
    """`name`, unless git would not take it for a branch. Raises RepositoryError."""
    forbidden = re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(/|$)|/\.|\.$|/$|^[-/.]|^@$", name)
    if not name or forbidden:
        raise RepositoryError(f"`{name!a}` cannot be the name of a branch; correct `git.branch`")
    return name


def _check_lines(credentials: Credentials) -> None:
    """Git's helpers speak in lines: one in a value would say something else than that value."""
    for name, value in (("user name", credentials.username), ("password", credentials.password)):
        if any(sign in value for sign in "\r\n\0"):
            raise RepositoryError(f"the {name} for Git holds a line break; correct what the reference names")


def _allowed() -> str:
    """Our transports, without those that the user has forbidden."""
    theirs = os.environ.get("GIT_ALLOW_PROTOCOL")
    kept = PROTOCOLS if theirs is None else [name for name in theirs.split(":") if name in PROTOCOLS]
    return ":".join(kept)


def _host(url: str) -> str | None:
    """Scheme, host and port of an HTTP URL, as git's configuration names them."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    return f"{parts.scheme}://{parts.hostname}{port}"


def _configuration(settings: dict[str, str]) -> dict[str, str]:
    """Settings by variables, behind those that the user's own variables make."""
    given = os.environ.get("GIT_CONFIG_COUNT", "")
    start = int(given) if given.isdigit() else 0
    result = {"GIT_CONFIG_COUNT": str(start + len(settings))}
    for number, (key, value) in enumerate(settings.items(), start):
        result |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return result
