"""The SQLite file: one connection per thread, WAL mode, and a schema version.

Readers never wait for writers in WAL mode. A commit survives the death of the process; writes are
serialised by one lock here, so that SQLite's busy error cannot reach a client.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcore.errors import StoreError
from localcore.store.schema import MIGRATIONS, VERSION

Row = sqlite3.Row


class Database:
    """Access to the store from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._writing = threading.RLock()
        self._connections: list[sqlite3.Connection] = []
        path.touch(mode=0o600, exist_ok=True)
        self._migrate()

    def _migrate(self) -> None:
        try:
            version = self.connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self._path} is not a usable database ({error}); move it away") from error
        if version > VERSION:
            raise StoreError(
                f"{self._path} was written by a newer version (schema {version}, here {VERSION})"
            )
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self.connection.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")

    @property
    def connection(self) -> sqlite3.Connection:
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is not None:
            return known
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        self._local.connection = connection
        self._connections.append(connection)
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or, on any error, nothing. Nested uses join the outer one."""
        with self._writing:
            connection = self.connection
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def all(self, sql: str, arguments: Sequence[Any] = ()) -> list[Row]:
        return self.connection.execute(sql, arguments).fetchall()

    def one(self, sql: str, arguments: Sequence[Any] = ()) -> Row | None:
        row: Row | None = self.connection.execute(sql, arguments).fetchone()
        return row

    def count(self, sql: str, arguments: Sequence[Any] = ()) -> int:
        row = self.one(sql, arguments)
        return int(row[0]) if row else 0

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._local = threading.local()


def pack(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def unpack(text: str) -> Any:
    return json.loads(text)
