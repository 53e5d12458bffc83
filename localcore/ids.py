"""Identifiers of the forms AI Core uses: `e` (executions) or `d` (deployments) + 15 hex digits, or UUIDs."""

from __future__ import annotations

import secrets
import uuid


def execution_id() -> str:
    return "e" + secrets.token_hex(8)[:15]


def deployment_id() -> str:
    return "d" + secrets.token_hex(8)[:15]


def resource_id() -> str:
    return str(uuid.uuid4())


def request_id() -> str:
    return str(uuid.uuid4())
