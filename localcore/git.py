"""Git by its own program: a bare mirror per application, read without a working tree.

Credentials travel in the environment of the one `git` process that needs them: never in an argument, a file
or a message.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcore.errors import LocalcoreError

TIMEOUT = 120.0
_SUFFIXES = (".yaml", ".yml", ".json")
_KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
)


class GitError(LocalcoreError):
    """A repository, revision or path cannot be read; the message is AI Core's (aicore.md section 4.3)."""


@dataclass(frozen=True)
class Remote:
    """Where a repository is and how to be let in."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)

    def environment(self) -> dict[str, str]:
        """Variables for `git`: no prompt, no credential helper, the credentials for this URL only."""
        settings = {"safe.directory": "*", "gc.auto": "0", "credential.helper": ""}
        if self.password and self.url.startswith(("http://", "https://")):
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            settings[f"http.{self.url}.extraHeader"] = f"Authorization: Basic {pair}"
        numbered = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings.items()):
            numbered |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
        fixed = {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_ALLOW_PROTOCOL": "file:http:https:ssh:git",
        }
        return kept | fixed | numbered | {"LC_ALL": "C"}


def _run(arguments: list[str], environment: Mapping[str, str], *, stdin: bytes | None = None) -> bytes:
    try:
        done = subprocess.run(
            ["git", *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise GitError("the program `git` is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {arguments[0]} gave no answer within {TIMEOUT:.0f} s") from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(lines[-1] if lines else f"git ended with code {done.returncode}")
    return done.stdout


class Mirror:
    """A bare copy of a repository below the data folder."""

    def __init__(self, folder: Path, remote: Remote) -> None:
        self._folder = folder
        self._remote = remote

    def _git(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        return _run([f"--git-dir={self._folder}", *arguments], self._remote.environment(), stdin=stdin)

    def fetch(self, *, head: bool = False) -> None:
        """Bring all branches and tags, and HEAD where asked; raises GitError as ArgoCD would word it.

        HEAD is not asked for in vain: in a fresh bare repository it often names a branch that does not exist.
        """
        if not (self._folder / "HEAD").exists():
            _run(["init", "--quiet", "--bare", str(self._folder)], self._remote.environment())
        refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        refs += ["+HEAD:refs/localcore/HEAD"] if head else []
        try:
            self._git("fetch", "--quiet", "--prune", "--no-tags", "--force", "--", self._remote.url, *refs)
        except GitError as error:
            raise GitError(
                f"rpc error: code = Unknown desc = failed to fetch {self._remote.url}: {error}"
            ) from error

    def resolve(self, revision: str) -> str:
        """The commit a branch, tag, HEAD or commit id names."""
        names = (
            ("refs/localcore/HEAD",)
            if revision == "HEAD"
            else (f"refs/heads/{revision}", f"refs/tags/{revision}", revision)
        )
        for name in names:
            try:
                return (
                    self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
                    .decode()
                    .strip()
                )
            except GitError:
                continue
        raise GitError(f"rpc error: code = Unknown desc = Unable to resolve '{revision}' to a commit SHA")

    def files(self, commit: str, path: str) -> dict[str, bytes]:
        """Name -> content of the template files that lie directly in the folder `path` of a commit."""
        folder = path.strip("/")
        tree = commit if folder in ("", ".") else f"{commit}:{folder}"
        try:
            listing = self._git("ls-tree", "-z", tree).decode("utf-8", "surrogateescape")
        except GitError as error:
            raise GitError(f"rpc error: code = Unknown desc = {path}: app path does not exist") from error
        blobs: dict[str, str] = {}
        for entry in listing.split("\0"):
            head, _, name = entry.partition("\t")
            if " blob " in head and name.endswith(_SUFFIXES):
                blobs[name] = head.split()[2]
        return dict(zip(blobs, self._contents(list(blobs.values())), strict=True))

    def _contents(self, blobs: list[str]) -> list[bytes]:
        if not blobs:
            return []
        data = self._git("cat-file", "--batch", stdin="\n".join([*blobs, ""]).encode())
        found, position = [], 0
        for _ in blobs:
            end = data.index(b"\n", position)
            head = data[position:end].split()
            if len(head) != 3:  # "ID missing"
                raise GitError(f"the copy of the repository is damaged: {head[0].decode()} is missing")
            size = int(head[2])
            found.append(data[end + 1 : end + 1 + size])
            position = end + 2 + size
        return found
