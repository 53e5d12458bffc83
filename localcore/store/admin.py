"""Tenant-wide objects: resource groups, repositories and applications."""

from __future__ import annotations

import sqlite3
from typing import Any

from localcore import clock, ids
from localcore.store.database import Database, Row, pack, unpack
from localcore.store.query import Page

UNKNOWN = "Unknown"


def unknown_status(message: str = UNKNOWN) -> dict[str, Any]:
    """The status before a first sync.

    Every field is the text "Unknown", times too (aicore.md section 4.3).
    """
    fields = ("healthStatus", "syncStatus", "syncStartedAt", "syncFinishedAt", "reconciledAt")
    source = {"repoURL": UNKNOWN, "path": UNKNOWN, "revision": UNKNOWN}
    return dict.fromkeys(fields, UNKNOWN) | {"message": message, "source": source, "syncResourcesStatus": []}


class Admin:
    def __init__(self, database: Database) -> None:
        self._db = database

    def _insert(self, sql: str, values: tuple[Any, ...]) -> bool:
        try:
            with self._db.write() as connection:
                connection.execute(sql, values)
        except sqlite3.IntegrityError:
            return False
        return True

    def _delete(self, sql: str, name: str) -> bool:
        with self._db.write() as connection:
            return connection.execute(sql, (name,)).rowcount == 1

    def _update(self, sql: str, values: tuple[Any, ...]) -> bool:
        with self._db.write() as connection:
            return connection.execute(sql, values).rowcount == 1

    # resource groups

    def create_group(self, identifier: str, labels: list[dict[str, str]]) -> bool:
        """False when it exists."""
        return self._insert(
            "INSERT INTO resource_groups VALUES (?,?,?)", (identifier, pack(labels), clock.now())
        )

    def group(self, identifier: str) -> Row | None:
        return self._db.one("SELECT * FROM resource_groups WHERE id = ?", (identifier,))

    def groups(self) -> list[Row]:
        return self._db.all("SELECT * FROM resource_groups ORDER BY id")

    def label_group(self, identifier: str, labels: list[dict[str, str]]) -> bool:
        return self._update("UPDATE resource_groups SET labels = ? WHERE id = ?", (pack(labels), identifier))

    def group_in_use(self, identifier: str) -> bool:
        sql = (
            "SELECT (SELECT count(*) FROM executions WHERE resource_group = ?1"
            " AND status IN ('PENDING', 'RUNNING', 'STOPPING'))"
            " + (SELECT count(*) FROM deployments WHERE resource_group = ?1"
            " AND status IN ('PENDING', 'RUNNING', 'STOPPING'))"
        )
        return self._db.count(sql, (identifier,)) > 0

    def delete_group(self, identifier: str) -> tuple[list[str], list[str]]:
        """Remove the group and all that lies in it; returns the ids of its executions and deployments."""
        with self._db.write() as connection:
            executions = self._db.all("SELECT id FROM executions WHERE resource_group = ?", (identifier,))
            deployments = self._db.all("SELECT id FROM deployments WHERE resource_group = ?", (identifier,))
            for table in ("artifacts", "configurations", "executions", "deployments", "metric_resources"):
                connection.execute(f"DELETE FROM {table} WHERE resource_group = ?", (identifier,))  # noqa: S608
            connection.execute("DELETE FROM secrets WHERE scope = ?", (identifier,))
            connection.execute("DELETE FROM resource_groups WHERE id = ?", (identifier,))
        return [row["id"] for row in executions], [row["id"] for row in deployments]

    # repositories

    def create_repository(self, name: str, url: str, username: str, password: str) -> bool:
        """False when it exists."""
        values = (name, ids.resource_id(), url, username, password, clock.now())
        return self._insert("INSERT INTO repositories VALUES (?,?,?,?,?,?)", values)

    def repository(self, name: str) -> Row | None:
        return self._db.one("SELECT * FROM repositories WHERE name = ?", (name,))

    def repository_by_url(self, url: str) -> Row | None:
        """By the exact URL: AI Core compares case-sensitively."""
        return self._db.one("SELECT * FROM repositories WHERE url = ? ORDER BY name LIMIT 1", (url,))

    def repositories(self, page: Page) -> list[Row]:
        return self._db.all(
            "SELECT * FROM repositories ORDER BY name LIMIT ? OFFSET ?", (page.top, page.skip)
        )

    def update_repository(self, name: str, username: str, password: str) -> bool:
        sql = "UPDATE repositories SET username = ?, password = ? WHERE name = ?"
        return self._update(sql, (username, password, name))

    def delete_repository(self, name: str) -> bool:
        return self._delete("DELETE FROM repositories WHERE name = ?", name)

    # applications

    def create_application(self, name: str, url: str, path: str, revision: str) -> bool:
        """False when it exists."""
        values = (name, url, path, revision, pack(unknown_status()), clock.now())
        return self._insert("INSERT INTO applications VALUES (?,?,?,?,?,?)", values)

    def application(self, name: str) -> Row | None:
        return self._db.one("SELECT * FROM applications WHERE name = ?", (name,))

    def applications(self) -> list[Row]:
        return self._db.all("SELECT * FROM applications ORDER BY name")

    def update_application(self, name: str, url: str, path: str, revision: str) -> bool:
        sql = "UPDATE applications SET repository_url = ?, path = ?, revision = ? WHERE name = ?"
        return self._update(sql, (url, path, revision, name))

    def set_application_status(self, name: str, status: dict[str, Any]) -> None:
        self._update("UPDATE applications SET status = ? WHERE name = ?", (pack(status), name))

    def application_status(self, row: Row) -> dict[str, Any]:
        status: dict[str, Any] = unpack(row["status"])
        return status

    def delete_application(self, name: str) -> bool:
        """Remove the application and the executables it brought."""
        return self._delete("DELETE FROM applications WHERE name = ?", name)
