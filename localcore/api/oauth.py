"""The token endpoint.

Client credentials as the SDK sends them (form) and as SAP's documentation does (Basic).
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Form, Header
from fastapi.responses import JSONResponse

from localcore.api.context import Svc
from localcore.auth import TOKEN_LIFE

router = APIRouter()


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client, secret


@router.post("/oauth/token")
def token(
    svc: Svc,
    grant_type: Annotated[str, Form()] = "",
    client_id: Annotated[str, Form()] = "",
    client_secret: Annotated[str, Form()] = "",
    authorization: Annotated[str, Header()] = "",
) -> JSONResponse:
    """RFC 6749 section 4.4; errors in its form."""
    if grant_type != "client_credentials":
        message = "only grant_type=client_credentials is served"
        return JSONResponse({"error": "unsupported_grant_type", "error_description": message}, 400)
    client, secret = (client_id, client_secret) if client_id else _basic(authorization)
    if not svc.credentials.accepts(client, secret):
        return JSONResponse({"error": "unauthorized", "error_description": "Bad credentials"}, 401)
    body = {"access_token": svc.credentials.issue(), "token_type": "bearer", "expires_in": TOKEN_LIFE}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})
