"""Scenarios, versions and executables: what the synced templates say, and nothing else."""

from __future__ import annotations

from typing import Any

from localcore import clock
from localcore.executable import Executable
from localcore.store.database import Database, Row, pack, unpack

_SCENARIOS = (
    "SELECT scenario_id, min(created_at) AS created_at, max(modified_at) AS modified_at,"
    " (SELECT document FROM executables AS newest WHERE newest.scenario_id = shown.scenario_id"
    "  ORDER BY newest.modified_at DESC, newest.id LIMIT 1) AS document FROM visible_executables AS shown"
)


def executable_document(row: Row) -> dict[str, Any]:
    """The API's form; artifacts hold name, kind, description and labels only (aicore.md section 1.1)."""
    fields = unpack(row["document"])
    return {
        "id": row["id"],
        "scenarioId": row["scenario_id"],
        "versionId": row["version"],
        "name": fields["name"],
        "description": fields["description"],
        "deployable": bool(row["deployable"]),
        "parameters": fields["parameters"],
        "inputArtifacts": fields["inputs"],
        "outputArtifacts": fields["outputs"],
        "labels": fields["labels"],
        "createdAt": row["created_at"],
        "modifiedAt": row["modified_at"],
    }


def scenario_document(row: Row) -> dict[str, Any]:
    fields = unpack(row["document"])
    return {
        "id": row["scenario_id"],
        "name": fields["scenario_name"],
        "description": fields["scenario_description"],
        "labels": [],
        "createdAt": row["created_at"],
        "modifiedAt": row["modified_at"],
    }


class Catalog:
    def __init__(self, database: Database) -> None:
        self._db = database

    def scenarios(self) -> list[dict[str, Any]]:
        return [
            scenario_document(row)
            for row in self._db.all(f"{_SCENARIOS} GROUP BY scenario_id ORDER BY scenario_id")
        ]

    def scenario(self, identifier: str) -> dict[str, Any] | None:
        row = self._db.one(f"{_SCENARIOS} WHERE scenario_id = ? GROUP BY scenario_id", (identifier,))
        return scenario_document(row) if row else None

    def versions(self, scenario_id: str) -> list[dict[str, Any]]:
        rows = self._db.all(
            "SELECT version, min(created_at) AS created_at, max(modified_at) AS modified_at"
            " FROM visible_executables WHERE scenario_id = ? GROUP BY version ORDER BY version",
            (scenario_id,),
        )
        return [
            {
                "id": row["version"],
                "scenarioId": scenario_id,
                "description": "",
                "createdAt": row["created_at"],
                "modifiedAt": row["modified_at"],
            }
            for row in rows
        ]

    def executables(self, scenario_id: str, version: str | None) -> list[dict[str, Any]]:
        sql = (
            "SELECT * FROM visible_executables WHERE scenario_id = ? AND (? IS NULL OR version = ?)"
            " ORDER BY id"
        )
        return [executable_document(row) for row in self._db.all(sql, (scenario_id, version, version))]

    def visible(self, identifier: str, scenario_id: str) -> Row | None:
        """An executable as the API shows it: not while its scenario is invisible."""
        sql = "SELECT * FROM visible_executables WHERE id = ? AND scenario_id = ?"
        return self._db.one(sql, (identifier, scenario_id))

    def executable(self, identifier: str, scenario_id: str | None = None) -> Row | None:
        sql = "SELECT * FROM executables WHERE id = ? AND (? IS NULL OR scenario_id = ?)"
        return self._db.one(sql, (identifier, scenario_id, scenario_id))

    def owners(self, identifiers: list[str], application: str) -> dict[str, str]:
        """Which other application already brought an executable of the same id."""
        sql = (
            "SELECT id, application FROM executables"
            " WHERE application != ? AND id IN (SELECT value FROM json_each(?))"
        )
        return {row["id"]: row["application"] for row in self._db.all(sql, (application, pack(identifiers)))}

    def replace(self, application: str, executables: list[Executable], keep: set[str]) -> None:
        """Make the application's executables exactly these, and those of `keep` as they were.

        `modifiedAt` is the time of the latest successful sync, as in AI Core.
        """
        moment = clock.now()
        present = {executable.id for executable in executables} | keep
        with self._db.write() as connection:
            for row in self._db.all("SELECT id FROM executables WHERE application = ?", (application,)):
                if row["id"] not in present:
                    connection.execute("DELETE FROM executables WHERE id = ?", (row["id"],))
            connection.executemany(
                "INSERT INTO executables VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET"
                " scenario_id = excluded.scenario_id, version = excluded.version,"
                " document = excluded.document,"
                " template = excluded.template, digest = excluded.digest, modified_at = excluded.modified_at,"
                " deployable = excluded.deployable",
                [
                    (
                        found.id,
                        application,
                        found.scenario_id,
                        found.version,
                        pack(found.document()),
                        pack(found.template),
                        found.digest,
                        moment,
                        moment,
                        int(found.deployable),
                    )
                    for found in executables
                ],
            )
