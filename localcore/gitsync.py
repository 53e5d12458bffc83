"""Git sync: the catalogue follows the applications' folders, every few seconds and on demand.

One thread asks each application's repository in turn; an application whose revision and neighbours did not
change costs one fetch.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcore import clock
from localcore.executable import Executable, TemplateError
from localcore.git import GitError, Mirror, Remote
from localcore.store.admin import unknown_status
from localcore.store.database import Row
from localcore.store.store import Store
from localcore.template import read_executable
from localcore.yamldoc import DocumentError, load_documents

log = logging.getLogger(__name__)

_SYNCED = "successfully synced (all tasks run)"


_DEFAULT_KIND = "WorkflowTemplate"


def _resource(name: str, status: str, message: str, kind: str = _DEFAULT_KIND) -> dict[str, str]:
    return {"kind": kind, "name": name, "status": status, "message": message}


def _said(document: Any, file: str) -> tuple[str, str]:
    """Kind and name that a document gives itself; of one that gives none, the default and the file."""
    found = document if isinstance(document, dict) else {}
    metadata = found.get("metadata")
    name = str(metadata.get("name")) if isinstance(metadata, dict) else file
    return str(found.get("kind") or _DEFAULT_KIND), name


def read_files(files: dict[str, bytes]) -> tuple[list[Executable], list[dict[str, str]], set[str]]:
    """What some files hold.

    Returns the executables, one failed resource per bad template, and the ids of templates that are there but
    bad: their executables stay as they were.
    """
    found: dict[str, Executable] = {}
    failed: list[dict[str, str]] = []
    broken: set[str] = set()
    for file, content in sorted(files.items()):
        try:
            documents = load_documents(content)
        except DocumentError as error:
            failed.append(_resource(file, "SyncFailed", f'Failed to unmarshal "{file}": {error}'))
            continue
        for document in documents:
            kind, name = _said(document, file)
            try:
                executable = read_executable(document)
            except TemplateError as error:
                failed.append(_resource(name, "SyncFailed", f"{file}: {error}", kind))
                broken.add(name)
                continue
            if executable.id in found:
                failed.append(
                    _resource(
                        name,
                        "SyncFailed",
                        f"{file}: the executable id {name} occurs twice in this application",
                        kind,
                    )
                )
                continue
            found[executable.id] = executable
    return list(found.values()), failed, broken


def status_document(
    application: Row,
    revision: str,
    started: str,
    resources: list[dict[str, str]],
    failed: list[dict[str, str]],
) -> dict[str, Any]:
    """The status after a sync that reached the repository."""
    finished = clock.now()
    message = _SYNCED
    if failed:
        message = "one or more objects failed to apply: " + "; ".join(entry["message"] for entry in failed)
    return {
        "healthStatus": "Degraded" if failed else "Healthy",
        "syncStatus": "OutOfSync" if failed else "Synced",
        "message": message,
        "source": {
            "repoURL": application["repository_url"],
            "path": application["path"],
            "revision": revision,
        },
        "syncStartedAt": started,
        "syncFinishedAt": finished,
        "reconciledAt": finished,
        "syncResourcesStatus": resources + failed,
    }


class GitSync:
    """The loop; `changed` is called after a sync that may have changed the catalogue."""

    def __init__(self, store: Store, folder: Path, interval: float, changed: Callable[[], None]) -> None:
        self._store = store
        self._folder = folder
        self._interval = interval
        self._changed = changed
        self._wake = threading.Condition()
        self._wanted = False
        self._ended = False
        self._thread = threading.Thread(target=self._loop, name="gitsync", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        with self._wake:
            self._ended = True
            self._wake.notify_all()

    def refresh(self) -> None:
        """Ask for a sync now; returns at once."""
        with self._wake:
            self._wanted = True
            self._wake.notify_all()

    def _loop(self) -> None:
        while not self._ended:
            with self._wake:
                self._wanted = False
            try:
                self._round()
            except sqlite3.Error:
                log.exception("the sync could not do its round; it tries again")
            with self._wake:
                self._wake.wait_for(lambda: self._wanted or self._ended, timeout=self._interval)

    def _round(self) -> None:
        """Sync each application, and remove the mirrors of those that are gone.

        Only this thread touches a mirror: no application loses its own while it is read.
        """
        applications = self._store.admin.applications()
        for application in applications:
            self.sync(application)
        names = {application["name"] for application in applications}
        for mirror in self._folder.glob("*"):
            if mirror.name not in names:
                shutil.rmtree(mirror, ignore_errors=True)

    def sync(self, application: Row) -> None:
        """Bring one application up to date and write its status.

        A failure is a status, never an exception.
        """
        name, started = application["name"], clock.now()
        try:
            status = self._synced(application, started)
        except (GitError, OSError) as error:
            log.warning("application %s: %s", name, error)
            status = self._failed(application, str(error))
        except Exception as error:  # nobody foresaw it: it ends no loop, and it does not stay hidden
            if self._store.admin.application(name) is None:
                return  # removed while it was synced
            log.exception("application %s could not be synced", name)
            kind = type(error).__name__
            status = self._failed(application, f"the sync met an error of its own ({kind}): see its log")
        current = self._store.admin.application(name)
        if current is not None and self._same(current, application):
            self._store.admin.set_application_status(name, status)
            self._changed()

    @staticmethod
    def _same(current: Row, application: Row) -> bool:
        return all(
            current[key] == application[key] for key in ("repository_url", "path", "revision", "created_at")
        )

    def _failed(self, application: Row, message: str) -> dict[str, Any]:
        """Before any success all is "Unknown"; afterwards the last synced revision stays in view."""
        known = self._store.admin.application_status(application)
        if known["source"]["revision"] == "Unknown":
            return unknown_status(message)
        return known | {"syncStatus": "Unknown", "message": message, "reconciledAt": clock.now()}

    def _remote(self, url: str) -> Remote:
        repository = self._store.admin.repository_by_url(url)
        if repository is None:
            raise GitError(
                f"application repo {url} is not permitted in project: it is not an on-boarded repository"
            )
        return Remote(url, repository["username"], repository["password"])

    def _twin(self, application: Row) -> str | None:
        """Another, earlier application on the same repository, revision and path.

        AI Core refuses the pair.
        """
        for other in self._store.admin.applications():
            same = all(other[key] == application[key] for key in ("repository_url", "path", "revision"))
            if same and (other["created_at"], other["name"]) < (
                application["created_at"],
                application["name"],
            ):
                return str(other["name"])
        return None

    def _synced(self, application: Row, started: str) -> dict[str, Any]:
        name = application["name"]
        twin = self._twin(application)
        if twin is not None:
            raise GitError(f"application {twin} already syncs this repository, revision and path")
        mirror = Mirror(self._folder / name, self._remote(application["repository_url"]))
        mirror.fetch(head=application["revision"] == "HEAD")
        revision = mirror.resolve(application["revision"])
        files = mirror.files(revision, application["path"])
        if not files:
            self._store.catalog.replace(name, [], set())
            raise GitError(
                "KeyError : 'operationState' (the path holds no template: no .yaml, .yml or .json file)"
            )
        known = self._store.admin.application_status(application)
        if known["syncStatus"] == "Synced" and known["source"] == self._source(application, revision):
            return known | {"reconciledAt": clock.now()}
        return self._apply(application, revision, started, files)

    @staticmethod
    def _source(application: Row, revision: str) -> dict[str, str]:
        return {"repoURL": application["repository_url"], "path": application["path"], "revision": revision}

    def _apply(
        self, application: Row, revision: str, started: str, files: dict[str, bytes]
    ) -> dict[str, Any]:
        name = application["name"]
        executables, failed, broken = read_files(files)
        owners = self._store.catalog.owners([found.id for found in executables], name)
        mine = [found for found in executables if found.id not in owners]
        for found in executables:
            if owner := owners.get(found.id):
                message = f"the executable id {found.id} (unique in the tenant) already comes from {owner}"
                failed.append(_resource(found.id, "SyncFailed", message, found.kind))
        self._store.catalog.replace(name, mine, broken)
        applied = [
            _resource(found.id, "Synced", f"{found.resource} configured", found.kind) for found in mine
        ]
        log.info(
            "application %s: revision %s, %d templates, %d failed",
            name,
            revision[:12],
            len(mine),
            len(failed),
        )
        return status_document(application, revision, started, applied, failed)
