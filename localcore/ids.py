"""Identifiers of the forms AI Core uses: `e` + 15 hex digits for executions, UUIDs for what is registered."""

from __future__ import annotations

import secrets
import uuid


def execution_id() -> str:
    return "e" + secrets.token_hex(8)[:15]


def resource_id() -> str:
    return str(uuid.uuid4())


def request_id() -> str:
    return str(uuid.uuid4())
