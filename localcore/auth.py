"""The service key and its bearer tokens.

Tokens are signed, not stored: a restart of the server invalidates none, and a new service key all.
The life of 43,199 seconds is deliberate: the official SDK renews a token with less than an hour left, so a
shorter life would cost one token request before every call (aicore.md section 2).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from localcore.home import Home, read_json, write_json

TOKEN_LIFE = 43_199


@dataclass(frozen=True)
class Credentials:
    client_id: str
    client_secret: str = field(repr=False)

    def accepts(self, client_id: str, client_secret: str) -> bool:
        """Compare in constant time, both parts always."""
        known = hmac.compare_digest(client_id.encode(), self.client_id.encode())
        return hmac.compare_digest(client_secret.encode(), self.client_secret.encode()) and known

    def _sign(self, payload: str) -> str:
        key = hashlib.sha256(b"localcore token\0" + self.client_secret.encode()).digest()
        return base64.urlsafe_b64encode(hmac.digest(key, payload.encode(), "sha256")).decode().rstrip("=")

    def issue(self, now: float | None = None) -> str:
        """A token good for TOKEN_LIFE seconds from `now` (seconds since the epoch)."""
        expires = int((time.time() if now is None else now) + TOKEN_LIFE)
        payload = f"{expires}.{secrets.token_hex(8)}"
        return f"{payload}.{self._sign(payload)}"

    def valid(self, token: str, now: float | None = None) -> bool:
        payload, _, signature = token.rpartition(".")
        expires = payload.partition(".")[0]
        if not hmac.compare_digest(signature.encode(), self._sign(payload).encode()):
            return False
        return int(expires) > (time.time() if now is None else now)


def service_key(credentials: Credentials, url: str) -> dict[str, Any]:
    """The JSON that AICORE_SERVICE_KEY takes; of the form of SAP's own service keys."""
    return {
        "clientid": credentials.client_id,
        "clientsecret": credentials.client_secret,
        "url": url,
        "identityzone": "local",
        "identityzoneid": "local",
        "appname": "localcore",
        "serviceurls": {"AI_API_URL": url},
    }


def load_credentials(home: Home) -> Credentials:
    """The credentials of the folder's service key; fresh ones when there is none."""
    known = read_json(home.service_key)
    if isinstance(known.get("clientid"), str) and isinstance(known.get("clientsecret"), str):
        return Credentials(known["clientid"], known["clientsecret"])
    return Credentials(f"localcore-{secrets.token_hex(6)}", secrets.token_urlsafe(32))


def remembered_port(home: Home) -> int | None:
    """The port of the last run, so that a restart answers where clients and running executions look."""
    url = read_json(home.service_key).get("url")
    port = url.rpartition(":")[2] if isinstance(url, str) else ""
    return int(port) if port.isdigit() else None


def save_service_key(home: Home, credentials: Credentials, url: str) -> None:
    write_json(home.service_key, service_key(credentials, url))
