"""Deployments and their states; `revision` counts the configurations that one has had."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from localcore import clock, ids
from localcore.store.database import Database, Row, pack, unpack
from localcore.store.executions import shown
from localcore.store.query import Page, Where

ACTIVE = ("UNKNOWN", "PENDING", "RUNNING", "STOPPING")
FINAL = ("DEAD", "STOPPED")


def document(row: Row) -> dict[str, Any]:
    """The API's full form of a deployment."""
    found = {
        "id": row["id"],
        "deploymentUrl": row["url"],
        "configurationId": row["configuration_id"],
        "configurationName": row["configuration_name"],
        "scenarioId": row["scenario_id"],
        "executableId": row["executable_id"],
        "status": row["status"],
        "targetStatus": row["target_status"],
        "lastOperation": row["last_operation"],
        "statusDetails": unpack(row["status_details"]),
        "details": _details(row),
        "createdAt": row["created_at"],
        "modifiedAt": row["modified_at"],
    }
    optional = {
        "latestRunningConfigurationId": row["latest_running"],
        "ttl": row["ttl"],
        "statusMessage": shown(row["status_message"]),
        "submissionTime": row["submission_time"],
        "startTime": row["start_time"],
        "completionTime": row["completion_time"],
    }
    return found | {key: value for key, value in optional.items() if value}


def _details(row: Row) -> dict[str, Any]:
    replicas = {"runningReplicas": int(row["status"] == "RUNNING")}
    resources = {"resourcePlan": row["plan"]} if row["plan"] else {}
    return {
        "scaling": {"backendDetails": {"predictor": replicas}},
        "resources": {"backendDetails": {"predictor": resources}},
    }


def status_document(row: Row) -> dict[str, Any]:
    """The reduced form of `$select=status`; the SDK rejects any further key (aicore.md section 1.1)."""
    return {
        "id": row["id"],
        "configurationId": row["configuration_id"],
        "status": row["status"],
        "statusDetails": unpack(row["status_details"]),
        "details": _details(row),
        "createdAt": row["created_at"],
        "modifiedAt": row["modified_at"],
    }


def lifetime(ttl: str) -> timedelta:
    """The time that `10m`, `12H` or `7d` names."""
    return (
        int(ttl[:-1])
        * {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[ttl[-1].lower()]
    )


class Deployments:
    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, resource_group: str, configuration: dict[str, Any], ttl: str = "") -> str:
        """Enter a deployment as UNKNOWN; the engine takes it from there. `ttl`: `12h`, or empty."""
        identifier, moment = ids.deployment_id(), clock.now()
        expires = clock.later(lifetime(ttl)) if ttl else ""
        with self._db.write() as connection:
            connection.execute(
                "INSERT INTO deployments (id, resource_group, configuration_id, configuration_name,"
                " scenario_id, executable_id, status, target_status, last_operation, created_at, modified_at,"
                " ttl, expires_at) VALUES (?,?,?,?,?,?,'UNKNOWN','RUNNING','CREATE',?,?,?,?)",
                (
                    identifier,
                    resource_group,
                    configuration["id"],
                    configuration["name"],
                    configuration["scenarioId"],
                    configuration["executableId"],
                    moment,
                    moment,
                    ttl,
                    expires,
                ),
            )
        return identifier

    def expired(self) -> list[Row]:
        """Deployments whose time to live is over, in whatever state."""
        sql = "SELECT * FROM deployments WHERE expires_at <> '' AND expires_at <= ? ORDER BY seq"
        return self._db.all(sql, (clock.now(),))

    def row(self, identifier: str) -> Row | None:
        return self._db.one("SELECT * FROM deployments WHERE id = ?", (identifier,))

    def find(self, resource_group: str, identifier: str) -> Row | None:
        sql = "SELECT * FROM deployments WHERE id = ? AND resource_group = ?"
        return self._db.one(sql, (identifier, resource_group))

    def page(self, where: Where, page: Page, *, reduced: bool) -> list[dict[str, Any]]:
        sql = f"SELECT * FROM deployments{where.sql} ORDER BY seq DESC LIMIT ? OFFSET ?"  # noqa: S608
        rows = self._db.all(sql, (*where.arguments, page.top, page.skip))
        return [status_document(row) if reduced else document(row) for row in rows]

    def count(self, where: Where) -> int:
        return self._db.count(f"SELECT count(*) FROM deployments{where.sql}", where.arguments)  # noqa: S608

    def active(self) -> list[Row]:
        """Deployments without a final state, first come first."""
        sql = "SELECT * FROM deployments WHERE status NOT IN ('DEAD', 'STOPPED') ORDER BY seq"
        return self._db.all(sql)

    def set_status(
        self,
        identifier: str,
        status: str,
        *,
        expected: tuple[str, ...],
        message: str = "",
        target: str | None = None,
        details: dict[str, Any] | None = None,
        plan: str | None = None,
        url: str | None = None,
    ) -> bool:
        """Move a deployment to `status` if it still is in one of `expected`; returns whether it moved."""
        moment = clock.now()
        times = {"PENDING": "submission_time", "RUNNING": "start_time"}
        values: dict[str, Any] = {"status": status, "status_message": message, "modified_at": moment}
        values["completion_time"] = moment if status in FINAL else None
        chosen = {"target_status": target, "plan": plan, "url": url}
        chosen["status_details"] = pack(details) if details is not None else None
        values |= {column: value for column, value in chosen.items() if value is not None}
        assignments = [f"{column} = ?" for column in values]
        if status in times:
            assignments.append(f"{times[status]} = coalesce({times[status]}, '{moment}')")
        marks = ",".join("?" * len(expected))
        sql = f"UPDATE deployments SET {', '.join(assignments)} WHERE id = ? AND status IN ({marks})"  # noqa: S608
        with self._db.write() as connection:
            return connection.execute(sql, (*values.values(), identifier, *expected)).rowcount == 1

    def update(self, identifier: str, configuration: dict[str, Any]) -> bool:
        """Give a deployment another configuration; the one that ran until now is remembered."""
        sql = (
            "UPDATE deployments SET latest_running = CASE status WHEN 'RUNNING' THEN configuration_id"
            " ELSE latest_running END, configuration_id = ?, configuration_name = ?, revision = revision + 1,"
            " status = 'PENDING', target_status = 'RUNNING', last_operation = 'UPDATE', status_message = '',"
            " completion_time = NULL, modified_at = ?"
            " WHERE id = ? AND status IN ('PENDING', 'RUNNING', 'DEAD')"
        )
        values = (configuration["id"], configuration["name"], clock.now(), identifier)
        with self._db.write() as connection:
            return connection.execute(sql, values).rowcount == 1

    def delete(self, identifier: str) -> None:
        with self._db.write() as connection:
            connection.execute("DELETE FROM deployments WHERE id = ?", (identifier,))
