"""The page of a Git server on which a pull request is opened, from the URL of the remote."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote, urlencode, urlsplit

_SCP = re.compile(r"(?:[^@/\s]+@)?(?P<host>[^@/:\s]+):(?P<path>[^/\s].*)")
_BITBUCKET_SSH_PORT = 7999  # where Bitbucket Server and Data Center listen for Git over SSH


class Forge(StrEnum):
    """Kinds of Git servers whose pages are known."""

    GITHUB = "github"
    GITLAB = "gitlab"
    AZURE = "azure"
    BITBUCKET = "bitbucket"
    BITBUCKET_SERVER = "bitbucket-server"


@dataclass(frozen=True, slots=True)
class _Remote:
    """A remote's URL in parts; `site` is where its web pages are, `names` the unquoted parts of the path."""

    host: str
    site: str
    names: tuple[str, ...]
    port: int | None
    ssh: bool


def compare_url(remote: str, base: str, topic: str, forge: Forge | None = None) -> str | None:
    """Page that proposes to merge `topic` into `base`; None for a server that is not known.

    Known by their host: GitHub, GitLab, Azure DevOps, Bitbucket Cloud, and servers of one's own whose host
    names them (`github.acme.io`). `forge` says what another host is. Credentials in `remote` do not get into
    the link.
    """
    parts = _parse(remote)
    if parts is None:
        return None
    kind = forge or _kind(parts)
    return _PAGES[kind](parts, base, topic) if kind else None


def _parse(remote: str) -> _Remote | None:
    if "://" in remote:
        return _parse_url(remote)
    match = _SCP.fullmatch(remote)
    if not match or remote.startswith("-") or len(match["host"]) == 1:  # one letter: a drive of Windows
        return None
    host = match["host"].lower()
    return _Remote(host, f"https://{host}", _names(match["path"]), None, ssh=True)


def _parse_url(remote: str) -> _Remote | None:
    try:
        url = urlsplit(remote)
        port = url.port
    except ValueError:  # a port that is no number, brackets that do not match
        return None
    if url.scheme not in {"http", "https", "ssh"} or not url.hostname:
        return None
    web = url.scheme in {"http", "https"}
    address = f"{url.hostname}:{port}" if web and port else url.hostname
    site = f"{url.scheme if web else 'https'}://{address}"
    return _Remote(url.hostname, site, _names(url.path), port, ssh=not web)


def _names(path: str) -> tuple[str, ...]:
    return tuple(unquote(part) for part in path.removesuffix("/").removesuffix(".git").split("/") if part)


def _kind(remote: _Remote) -> Forge | None:
    host = remote.host
    if host == "bitbucket.org":
        return Forge.BITBUCKET
    if host in {"dev.azure.com", "ssh.dev.azure.com"} or host.endswith(".visualstudio.com"):
        return Forge.AZURE
    if "bitbucket" in host or (remote.ssh and remote.port == _BITBUCKET_SSH_PORT):
        return Forge.BITBUCKET_SERVER
    if "github" in host or host.endswith(".ghe.com"):
        return Forge.GITHUB
    return Forge.GITLAB if "gitlab" in host else None


def _github(remote: _Remote, base: str, topic: str) -> str | None:
    if len(remote.names) != 2:
        return None
    site = remote.site.replace("://ssh.github.com", "://github.com")  # SSH over port 443
    return f"{site}/{_path(remote.names)}/compare/{_branch(base)}...{_branch(topic)}?expand=1"


def _gitlab(remote: _Remote, base: str, topic: str) -> str | None:
    if len(remote.names) < 2:
        return None
    query = {"merge_request[source_branch]": topic, "merge_request[target_branch]": base}
    return f"{remote.site}/{_path(remote.names)}/-/merge_requests/new?{urlencode(query)}"


def _azure(remote: _Remote, base: str, topic: str) -> str | None:
    found = _azure_ssh(remote) if remote.ssh else _azure_https(remote)
    if found is None:
        return None
    site, names, repository = found
    query = urlencode({"sourceRef": topic, "targetRef": base})
    return f"{site}/{_path((*names, '_git', repository))}/pullrequestcreate?{query}"


def _azure_ssh(remote: _Remote) -> tuple[str, tuple[str, ...], str] | None:
    """`v3/organisation/project/repository`, at ssh.dev.azure.com or vs-ssh.visualstudio.com."""
    if len(remote.names) != 4 or remote.names[0] != "v3":
        return None
    _, organisation, project, repository = remote.names
    if remote.host.endswith("visualstudio.com"):
        return f"https://{organisation}.visualstudio.com", (project,), repository
    return "https://dev.azure.com", (organisation, project), repository


def _azure_https(remote: _Remote) -> tuple[str, tuple[str, ...], str] | None:
    """`…/project/_git/repository`; the project is left out where both have one name."""
    if len(remote.names) < 2 or remote.names[-2] != "_git":
        return None
    return remote.site, remote.names[:-2], remote.names[-1]


def _bitbucket(remote: _Remote, base: str, topic: str) -> str | None:
    if len(remote.names) != 2:
        return None
    query = urlencode({"source": topic, "dest": base})
    return f"{remote.site}/{_path(remote.names)}/pull-requests/new?{query}"


def _bitbucket_server(remote: _Remote, base: str, topic: str) -> str | None:
    """HTTPS remotes are `[context/]scm/PROJECT/repository`, SSH remotes `PROJECT/repository`."""
    if len(remote.names) < 2:
        return None
    *before, project, repository = remote.names
    context = before[:-1] if before and before[-1] == "scm" else before
    owner = ("users", project[1:]) if project.startswith("~") else ("projects", project)
    page = _path((*context, *owner, "repos", repository, "pull-requests"))
    query = urlencode({"sourceBranch": f"refs/heads/{topic}", "targetBranch": f"refs/heads/{base}"})
    return f"{remote.site}/{page}?create&{query}"


def _path(names: tuple[str, ...]) -> str:
    return "/".join(quote(name, safe="~") for name in names)


def _branch(name: str) -> str:
    return quote(name, safe="/")


_PAGES: dict[Forge, Callable[[_Remote, str, str], str | None]] = {
    Forge.GITHUB: _github,
    Forge.GITLAB: _gitlab,
    Forge.AZURE: _azure,
    Forge.BITBUCKET: _bitbucket,
    Forge.BITBUCKET_SERVER: _bitbucket_server,
}
