"""Configurations: immutable bindings of an executable's parameters and input artifacts."""

from __future__ import annotations

from typing import Any

from localcore import clock, ids
from localcore.store.database import Database, Row, pack, unpack
from localcore.store.query import Page, Where


def document(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "scenarioId": row["scenario_id"],
        "executableId": row["executable_id"],
        "parameterBindings": unpack(row["parameters"]),
        "inputArtifactBindings": unpack(row["inputs"]),
        "createdAt": row["created_at"],
    }


class Configurations:
    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, resource_group: str, fields: dict[str, Any]) -> str:
        """Register a configuration; names need not be unique."""
        identifier = ids.resource_id()
        with self._db.write() as connection:
            connection.execute(
                "INSERT INTO configurations (id, resource_group, name, scenario_id, executable_id,"
                " parameters, inputs, created_at) VALUES (?,?,?,?,?,?,?,?)",
                (
                    identifier,
                    resource_group,
                    fields["name"],
                    fields["scenarioId"],
                    fields["executableId"],
                    pack(fields.get("parameterBindings") or []),
                    pack(fields.get("inputArtifactBindings") or []),
                    clock.now(),
                ),
            )
        return identifier

    def get(self, resource_group: str, identifier: str) -> dict[str, Any] | None:
        sql = "SELECT * FROM configurations WHERE id = ? AND resource_group = ?"
        row = self._db.one(sql, (identifier, resource_group))
        return document(row) if row else None

    def page(self, where: Where, page: Page) -> list[dict[str, Any]]:
        sql = f"SELECT * FROM configurations{where.sql} ORDER BY seq DESC LIMIT ? OFFSET ?"  # noqa: S608
        return [document(row) for row in self._db.all(sql, (*where.arguments, page.top, page.skip))]

    def count(self, where: Where) -> int:
        return self._db.count(f"SELECT count(*) FROM configurations{where.sql}", where.arguments)  # noqa: S608
