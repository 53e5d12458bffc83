"""Artifacts: immutable references to data in an object store."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from localcore import clock, ids
from localcore.store.database import Database, Row, pack, unpack
from localcore.store.query import Page, Where


def document(row: Row) -> dict[str, Any]:
    """The API's form of a row; optional fields only where they hold something."""
    found = {
        "id": row["id"],
        "name": row["name"],
        "kind": row["kind"],
        "url": row["url"],
        "scenarioId": row["scenario_id"],
        "createdAt": row["created_at"],
        "modifiedAt": row["modified_at"],
    }
    optional = {
        "description": row["description"],
        "labels": unpack(row["labels"]),
        "executionId": row["execution_id"],
        "configurationId": row["configuration_id"],
    }
    return found | {key: value for key, value in optional.items() if value}


class Artifacts:
    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, resource_group: str, fields: dict[str, Any]) -> str:
        """Register an artifact of a client's request; identical requests make two artifacts."""
        with self._db.write() as connection:
            return self.insert(connection, resource_group, fields)

    @staticmethod
    def insert(connection: sqlite3.Connection, resource_group: str, fields: dict[str, Any]) -> str:
        """Insert within a transaction; an execution's output of the same name stays as first registered."""
        identifier, moment = ids.resource_id(), clock.now()
        connection.execute(
            "INSERT INTO artifacts (id, resource_group, name, kind, url, scenario_id, description, labels,"
            " execution_id, configuration_id, created_at, modified_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
            " ON CONFLICT (execution_id, name) WHERE execution_id IS NOT NULL DO NOTHING",
            (
                identifier,
                resource_group,
                fields["name"],
                fields["kind"],
                fields["url"],
                fields["scenarioId"],
                fields.get("description") or "",
                pack(fields.get("labels") or []),
                fields.get("executionId"),
                fields.get("configurationId"),
                moment,
                moment,
            ),
        )
        return identifier

    def get(self, resource_group: str, identifier: str) -> dict[str, Any] | None:
        sql = "SELECT * FROM artifacts WHERE id = ? AND resource_group = ?"
        row = self._db.one(sql, (identifier, resource_group))
        return document(row) if row else None

    def missing(self, resource_group: str, identifiers: Sequence[str]) -> list[str]:
        """Those of the ids that the resource group does not know."""
        sql = (
            "SELECT value FROM json_each(?) WHERE value NOT IN"
            " (SELECT id FROM artifacts WHERE resource_group = ? AND id IN (SELECT value FROM json_each(?)))"
        )
        packed = pack(list(identifiers))
        return [row[0] for row in self._db.all(sql, (packed, resource_group, packed))]

    def page(self, where: Where, page: Page) -> list[dict[str, Any]]:
        sql = f"SELECT * FROM artifacts{where.sql} ORDER BY seq DESC LIMIT ? OFFSET ?"  # noqa: S608
        return [document(row) for row in self._db.all(sql, (*where.arguments, page.top, page.skip))]

    def count(self, where: Where) -> int:
        return self._db.count(f"SELECT count(*) FROM artifacts{where.sql}", where.arguments)  # noqa: S608

    def outputs(self, execution_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Output artifacts of many executions in one query, oldest first."""
        sql = "SELECT * FROM artifacts WHERE execution_id IN (SELECT value FROM json_each(?)) ORDER BY seq"
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._db.all(sql, (pack(list(execution_ids)),)):
            found.setdefault(row["execution_id"], []).append(document(row))
        return found
