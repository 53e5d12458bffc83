"""Registered secrets. Their values leave this module only towards the engine, never towards a client."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from localcore import clock
from localcore.store.database import Database, Row, pack, unpack
from localcore.store.query import Page

OBJECT_STORE, DOCKER, GENERIC = "object-store", "docker", "generic"
TENANT = "*"


@dataclass(frozen=True)
class Secret:
    name: str
    metadata: dict[str, Any]
    created_at: str
    data: dict[str, str] = field(repr=False)


def _secret(row: Row) -> Secret:
    return Secret(row["name"], unpack(row["metadata"]), row["created_at"], unpack(row["data"]))


class Secrets:
    """Secrets of one kind; `scope` is a resource group, or `*` for the whole tenant."""

    def __init__(self, database: Database, kind: str) -> None:
        self._db = database
        self._kind = kind

    def create(self, scope: str, name: str, data: dict[str, str], metadata: dict[str, Any]) -> bool:
        """False when it exists."""
        values = (self._kind, scope, name, pack(data), pack(metadata), clock.now())
        try:
            with self._db.write() as connection:
                connection.execute("INSERT INTO secrets VALUES (?,?,?,?,?,?)", values)
        except sqlite3.IntegrityError:
            return False
        return True

    def update(self, scope: str, name: str, data: dict[str, str], metadata: dict[str, Any]) -> bool:
        sql = "UPDATE secrets SET data = ?, metadata = ? WHERE kind = ? AND scope = ? AND name = ?"
        with self._db.write() as connection:
            return (
                connection.execute(sql, (pack(data), pack(metadata), self._kind, scope, name)).rowcount == 1
            )

    def delete(self, scope: str, name: str) -> bool:
        sql = "DELETE FROM secrets WHERE kind = ? AND scope = ? AND name = ?"
        with self._db.write() as connection:
            return connection.execute(sql, (self._kind, scope, name)).rowcount == 1

    def get(self, scope: str, name: str) -> Secret | None:
        sql = "SELECT * FROM secrets WHERE kind = ? AND scope = ? AND name = ?"
        row = self._db.one(sql, (self._kind, scope, name))
        return _secret(row) if row else None

    def visible(self, resource_group: str, name: str) -> Secret | None:
        """The group's own secret, or else the tenant's: a same-named group secret wins."""
        return self.get(resource_group, name) or self.get(TENANT, name)

    def page(self, scope: str, page: Page) -> list[Secret]:
        sql = "SELECT * FROM secrets WHERE kind = ? AND scope = ? ORDER BY name LIMIT ? OFFSET ?"
        return [_secret(row) for row in self._db.all(sql, (self._kind, scope, page.top, page.skip))]
