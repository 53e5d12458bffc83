"""Git commands in one clone: arguments as lists, input over standard input, failures as RepositoryError."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from functools import cached_property

from git import Repo
from git.exc import GitCommandError

from generator.git_environment import Credentials, check_url, identity, variables
from generator.git_errors import repository_error


class GitCommands:
    """Runs git at the top of a clone, under the variables of `git_environment`.

    `urls` are those of the remote when they were first asked for: who expects others makes another one.
    """

    def __init__(self, repo: Repo, remote: str, credentials: Credentials | None) -> None:
        self.repo, self.remote = repo, remote
        self._secrets = (credentials.password,) if credentials else ()
        hosts = self.urls if credentials else ()
        repo.git.update_environment(**variables(credentials, hosts), **identity(repo))

    def run(
        self, action: str, *command: str, env: Mapping[str, str] | None = None, feed: bytes | None = None
    ) -> str:
        """Run `git command` and return what it printed; `action` says in an error what could not be done."""
        try:
            return self._execute(command, env, feed)
        except GitCommandError as error:
            raise repository_error(action, error, self._secrets) from None

    def succeeds(self, *command: str) -> bool:
        """Whether a command that answers by its exit status says yes."""
        try:
            self._execute(command, None, None)
        except GitCommandError:
            return False
        return True

    def ignored(self, paths: Iterable[str]) -> str:
        """What `git check-ignore` says about paths (fields ended by NUL); empty where none is ignored."""
        feed = "".join(f"{path}\0" for path in paths).encode()
        command = ("check-ignore", "--stdin", "-z", "--verbose")
        try:  # it takes its paths literally in any case, and refuses to be told so
            return self._execute(command, {"GIT_LITERAL_PATHSPECS": "0"}, feed)
        except GitCommandError as error:
            if error.status == 1:  # none
                return ""
            raise repository_error("read the ignore rules", error, self._secrets) from None

    def talk(self, action: str, verb: str, *command: str) -> str:
        """Run a command that talks to the remote, whose URLs are looked at first."""
        for url in self.urls:
            check_url(url)
        return self.run(action, verb, *command)

    @cached_property
    def urls(self) -> list[str]:
        """URLs that fetch and push use, after the substitutions that the user configured."""
        found: list[str] = []
        for side in ((), ("--push",)):
            try:
                text = self._execute(("remote", "get-url", "--all", *side, "--", self.remote), None, None)
            except GitCommandError:  # no such remote: the command that needs it says so
                continue
            found += text.splitlines()
        return list(dict.fromkeys(found))

    def _execute(self, command: tuple[str, ...], env: Mapping[str, str] | None, feed: bytes | None) -> str:
        with tempfile.TemporaryFile() as file:
            if feed is not None:
                file.write(feed)
                file.seek(0)
            return str(self.repo.git.execute(["git", *command], env=dict(env) if env else None, istream=file))
