"""The data folder of one local AI Core: where everything lies, and the rule that one server owns it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcore import clock
from localcore.errors import StartError

_SHELL_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+")


@dataclass(frozen=True)
class Home:
    """Paths below the data folder; nothing is created until `prepare`."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "localcore.db"

    @property
    def service_key(self) -> Path:
        return self.root / "service-key.json"

    @property
    def pid(self) -> Path:
        return self.root / "localcore.pid"

    @property
    def log(self) -> Path:
        return self.root / "localcore.log"

    @property
    def requests(self) -> Path:
        return self.root / "requests.jsonl"

    @property
    def git(self) -> Path:
        return self.root / "git"

    @property
    def executions(self) -> Path:
        return self.root / "executions"

    @property
    def deployments(self) -> Path:
        return self.root / "deployments"

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    def prepare(self) -> None:
        """Create the folders, readable by their owner only: the database holds registered secrets."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.git, self.executions, self.deployments, self.objects / "default"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(f"cannot create the data folder {self.root}: {error.strerror}") from error

    def claim(self) -> int:
        """Take the folder for this process until it ends; returns the descriptor that holds the lock.

        Raises StartError when another server holds it. The lock dies with its process, so a killed
        server leaves nothing to clean up.
        """
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            running = read_json(self.pid)
            where = f" at {running['url']} (pid {running['pid']})" if "url" in running else ""
            message = f"a local AI Core is already running on {self.root}{where}; stop it first"
            raise StartError(message) from None
        return descriptor

    def announce(self, port: int, url: str) -> None:
        """Write the file by which others find and stop this server."""
        record = {"pid": os.getpid(), "port": port, "started": clock.now(), "url": url}
        write_json(self.pid, record, mode=0o644)

    def _link(self) -> Path:
        digest = hashlib.sha256(os.fsencode(self.root.resolve())).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"localcore-{os.getuid()}-{digest}"

    def drop_link(self) -> None:
        """Remove the link that `shell_safe_root` may have made; once nothing runs, nobody needs it."""
        if self._link().is_symlink():
            self._link().unlink()

    def shell_safe_root(self) -> Path:
        """The data folder under a name that needs no quoting in a shell line.

        Artifact paths are replaced inside command lines whose quoting only their author knows. Where the
        folder's own name holds a blank or the like, a link in the temporary folder stands for it.
        """
        root = self.root.resolve()
        if set(str(root)) <= _SHELL_SAFE:
            return root
        link = self._link()
        try:
            link.symlink_to(root)
        except FileExistsError:
            if link.lstat().st_uid != os.getuid() or link.resolve() != root:
                raise StartError(
                    f"{link} stands in the way: remove it, or use a data folder without blanks"
                ) from None
        return link


def write_json(path: Path, value: Any, *, mode: int = 0o600) -> None:
    """Replace a file in one step: a reader sees the old text or the new, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(value, stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty when the file is absent or holds something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
