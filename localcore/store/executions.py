"""Executions and their states; which change is allowed in which state is decided by `localcore.states`."""

from __future__ import annotations

from typing import Any

from localcore import clock, ids
from localcore.store.artifacts import Artifacts
from localcore.store.database import Database, Row, pack, unpack
from localcore.store.query import Page, Where

# Longest status message of the API (OpenAPI file); statusDetails has the whole of it, node by node.
_LONGEST = 256
ACTIVE = ("UNKNOWN", "PENDING", "RUNNING", "STOPPING")
FINAL = ("COMPLETED", "DEAD", "STOPPED")


def shown(message: str) -> str:
    """A status message within the API's limit."""
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…"


def document(row: Row, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """The API's full form of an execution."""
    found = {
        "id": row["id"],
        "configurationId": row["configuration_id"],
        "configurationName": row["configuration_name"],
        "scenarioId": row["scenario_id"],
        "executableId": row["executable_id"],
        "status": row["status"],
        "targetStatus": row["target_status"],
        "statusDetails": unpack(row["status_details"]),
        "outputArtifacts": outputs,
        "createdAt": row["created_at"],
        "modifiedAt": row["modified_at"],
    }
    optional = {
        "statusMessage": shown(row["status_message"]),
        "submissionTime": row["submission_time"],
        "startTime": row["start_time"],
        "completionTime": row["completion_time"],
    }
    return found | {key: value for key, value in optional.items() if value}


def status_document(row: Row) -> dict[str, Any]:
    """The reduced form of `$select=status`; the SDK rejects any further key (aicore.md section 1.1)."""
    return {
        "id": row["id"],
        "configurationId": row["configuration_id"],
        "status": row["status"],
        "statusDetails": unpack(row["status_details"]),
        "createdAt": row["created_at"],
        "modifiedAt": row["modified_at"],
    }


class Executions:
    def __init__(self, database: Database, artifacts: Artifacts) -> None:
        self._db = database
        self._artifacts = artifacts

    def create(self, resource_group: str, configuration: dict[str, Any]) -> str:
        """Enter an execution as UNKNOWN; the engine takes it from there."""
        identifier, moment = ids.execution_id(), clock.now()
        with self._db.write() as connection:
            connection.execute(
                "INSERT INTO executions (id, resource_group, configuration_id, configuration_name,"
                " scenario_id, executable_id, status, target_status, status_message, status_details,"
                " created_at, modified_at)"
                " VALUES (?,?,?,?,?,?,'UNKNOWN','COMPLETED','','{}',?,?)",
                (
                    identifier,
                    resource_group,
                    configuration["id"],
                    configuration["name"],
                    configuration["scenarioId"],
                    configuration["executableId"],
                    moment,
                    moment,
                ),
            )
        return identifier

    def row(self, identifier: str) -> Row | None:
        return self._db.one("SELECT * FROM executions WHERE id = ?", (identifier,))

    def find(self, resource_group: str, identifier: str) -> Row | None:
        sql = "SELECT * FROM executions WHERE id = ? AND resource_group = ?"
        return self._db.one(sql, (identifier, resource_group))

    def full(self, row: Row) -> dict[str, Any]:
        return document(row, self._artifacts.outputs([row["id"]]).get(row["id"], []))

    def page(self, where: Where, page: Page, *, reduced: bool) -> list[dict[str, Any]]:
        sql = f"SELECT * FROM executions{where.sql} ORDER BY seq DESC LIMIT ? OFFSET ?"  # noqa: S608
        rows = self._db.all(sql, (*where.arguments, page.top, page.skip))
        if reduced:
            return [status_document(row) for row in rows]
        outputs = self._artifacts.outputs([row["id"] for row in rows])
        return [document(row, outputs.get(row["id"], [])) for row in rows]

    def count(self, where: Where) -> int:
        return self._db.count(f"SELECT count(*) FROM executions{where.sql}", where.arguments)  # noqa: S608

    def active(self) -> list[Row]:
        """Executions without a final state, first come first."""
        sql = (
            "SELECT * FROM executions WHERE status IN ('UNKNOWN','PENDING','RUNNING','STOPPING') ORDER BY seq"
        )
        return self._db.all(sql)

    def set_status(
        self,
        identifier: str,
        status: str,
        *,
        expected: tuple[str, ...],
        message: str = "",
        details: dict[str, Any] | None = None,
        target: str | None = None,
        outputs: list[dict[str, Any]] | None = None,
        started: str | None = None,
    ) -> bool:
        """Move an execution to `status` if it still is in one of `expected`; with its outputs in one commit.

        Returns whether it moved. Times are set as a consequence of the state: submission when PENDING,
        completion when final. `started` is the start by its supervisor's own word: a short execution is over
        before anybody sees it run.
        """
        moment = clock.now()
        times = {"PENDING": "submission_time"} | dict.fromkeys(FINAL, "completion_time")
        assignments = ["status = ?", "status_message = ?", "modified_at = ?"]
        values: list[Any] = [status, message, moment]
        if status in times:
            assignments.append(f"{times[status]} = coalesce({times[status]}, ?)")
            values.append(moment)
        if started is not None:
            assignments.append("start_time = coalesce(start_time, ?)")
            values.append(started)
        for column, value in (
            ("status_details", pack(details) if details else None),
            ("target_status", target),
        ):
            if value is not None:
                assignments.append(f"{column} = ?")
                values.append(value)
        marks = ",".join("?" * len(expected))
        sql = f"UPDATE executions SET {', '.join(assignments)} WHERE id = ? AND status IN ({marks})"  # noqa: S608
        with self._db.write() as connection:
            moved = connection.execute(sql, (*values, identifier, *expected)).rowcount == 1
            row = self.row(identifier)
            if moved and row is not None:
                for output in outputs or []:
                    self._artifacts.insert(connection, row["resource_group"], output)
        return moved

    def delete(self, identifier: str) -> None:
        with self._db.write() as connection:
            connection.execute("DELETE FROM executions WHERE id = ?", (identifier,))
