"""Metrics of executions.

A growing series, and tags and custom infos by name (the last one written counts).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localcore import clock
from localcore.errors import ApiError
from localcore.store.database import Database, pack, unpack

MAX_METRICS = 1000
MAX_VALUES = 100
MAX_CUSTOM_BYTES = 5 * 1024 * 1024
_SECTIONS = ("tags", "customInfo")
_SERIES = (
    "SELECT execution_id, document FROM metrics"
    " WHERE execution_id IN (SELECT value FROM json_each(?)) ORDER BY seq"
)
_VALUES = (
    "SELECT execution_id, section, name, value FROM metric_values"
    " WHERE execution_id IN (SELECT value FROM json_each(?)) ORDER BY rowid"
)


def too_large(what: str) -> ApiError:
    return ApiError(413, f"PayloadLimitException: {what}", code="02000005")


class Metrics:
    def __init__(self, database: Database) -> None:
        self._db = database

    def append(
        self, resource_group: str, execution_id: str, sections: dict[str, list[dict[str, Any]]]
    ) -> None:
        """Add metrics; write tags and custom infos over those of the same name. All of it or nothing.

        Raises ApiError 413 when the execution would exceed 1,000 metrics, 100 tags, 100 custom infos or 5
        MB of custom infos (aicore.md section 1.3).
        """
        moment = clock.now()
        with self._db.write() as connection:
            connection.execute(
                "INSERT INTO metric_resources VALUES (?,?,?,?) ON CONFLICT (execution_id)"
                " DO UPDATE SET modified_at = excluded.modified_at",
                (execution_id, resource_group, moment, moment),
            )
            connection.executemany(
                "INSERT INTO metrics (execution_id, document) VALUES (?,?)",
                [(execution_id, pack(metric)) for metric in sections.get("metrics", [])],
            )
            for section in _SECTIONS:
                connection.executemany(
                    "INSERT INTO metric_values VALUES (?,?,?,?) ON CONFLICT (execution_id, section, name)"
                    " DO UPDATE SET value = excluded.value",
                    [
                        (execution_id, section, item["name"], item["value"])
                        for item in sections.get(section, [])
                    ],
                )
            self._check(execution_id)

    def _check(self, execution_id: str) -> None:
        if (
            self._db.count("SELECT count(*) FROM metrics WHERE execution_id = ?", (execution_id,))
            > MAX_METRICS
        ):
            raise too_large(f"more than {MAX_METRICS} metrics for execution {execution_id}")
        sql = (
            "SELECT section, count(*), sum(length(CAST(value AS BLOB))) FROM metric_values"
            " WHERE execution_id = ? GROUP BY section"
        )
        for section, number, size in self._db.all(sql, (execution_id,)):
            if number > MAX_VALUES:
                raise too_large(f"more than {MAX_VALUES} {section} for execution {execution_id}")
            if size > MAX_CUSTOM_BYTES:
                raise too_large(
                    f"more than {MAX_CUSTOM_BYTES} bytes of {section} for execution {execution_id}"
                )

    def query(
        self, resource_group: str, execution_ids: Sequence[str], sections: frozenset[str]
    ) -> list[dict[str, Any]]:
        """One resource per execution that has metrics, in the order of the ids given."""
        packed = pack(list(execution_ids))
        known = self._db.all(
            "SELECT m.* FROM json_each(?) AS wanted"
            " JOIN metric_resources AS m ON m.execution_id = wanted.value"
            " WHERE m.resource_group = ? ORDER BY wanted.key",
            (packed, resource_group),
        )
        found: dict[str, dict[str, Any]] = {}
        for row in known:
            head = {
                "executionId": row["execution_id"],
                "createdAt": row["created_at"],
                "modifiedAt": row["modified_at"],
            }
            found[row["execution_id"]] = head | {
                name: [] for name in ("metrics", *_SECTIONS) if name in sections
            }
        if "metrics" in sections:
            for execution_id, text in self._db.all(_SERIES, (pack(list(found)),)):
                found[execution_id]["metrics"].append(unpack(text))
        for row in self._db.all(_VALUES, (pack(list(found)),)):
            if row["section"] in sections:
                found[row["execution_id"]][row["section"]].append(
                    {"name": row["name"], "value": row["value"]}
                )
        return list(found.values())

    def delete(self, resource_group: str, execution_id: str) -> bool:
        sql = "DELETE FROM metric_resources WHERE execution_id = ? AND resource_group = ?"
        with self._db.write() as connection:
            return connection.execute(sql, (execution_id, resource_group)).rowcount == 1
