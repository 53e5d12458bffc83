"""Is this call a push to our branch, from someone who knows the secret? Pure.

A call says nothing that is believed: it only starts a round, which reads Git itself. So a call that is
recorded and sent again costs a round that finds nothing to do.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs

Provider = Literal["github", "gitlab", "generic"]

#: Largest body that is read, bytes. A push of very many commits beyond it is found at the interval.
LARGEST = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """The HTTP status to answer with, and whether a round begins."""

    status: int
    wakes: bool = False
    reason: str = ""  #: for our log; the caller is told nothing but the status


def judge(provider: Provider, secret: str, branch: str, headers: Mapping[str, str], body: bytes) -> Verdict:
    """What follows from one POST. `headers`: names in any case."""
    known = {name.lower(): value for name, value in headers.items()}
    if not _authentic(provider, secret, known, body):
        return Verdict(401, reason="the signature or token is wrong or missing")
    if (said := _other_event(provider, known)) is not None:
        return Verdict(202, reason=f"not a push: {said[:40]!r}")
    payload = _payload(known.get("content-type", ""), body)
    if not isinstance(payload, dict):
        return Verdict(400, reason="the body is no JSON object")
    ref = payload.get("ref")
    if ref is None and provider == "generic":
        return Verdict(202, wakes=True)
    if ref != f"refs/heads/{branch}":
        return Verdict(202, reason=f"another branch: {str(ref)[:100]!r}")
    return Verdict(202, wakes=True)


def signature(secret: str, body: bytes) -> str:
    """`sha256=<hex>`: what GitHub sends as X-Hub-Signature-256, and others as X-Signature."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _authentic(provider: Provider, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """In constant time; an empty secret opens nothing."""
    name, right = {
        "github": ("x-hub-signature-256", signature(secret, body)),
        "gitlab": ("x-gitlab-token", secret),
        "generic": ("x-signature", signature(secret, body)),
    }[provider]
    given = headers.get(name, "").encode("utf-8", "surrogateescape")
    return hmac.compare_digest(given, right.encode()) and bool(secret)


def _other_event(provider: Provider, headers: Mapping[str, str]) -> str | None:
    """The name of an event that is no push; None for a push."""
    if provider == "generic":
        return None
    name, push = {"github": ("x-github-event", "push"), "gitlab": ("x-gitlab-event", "Push Hook")}[provider]
    said = headers.get(name, "")
    return None if said == push else said


def _payload(content_type: str, body: bytes) -> Any:
    """The JSON of a body; GitHub may send it as a form. An empty body is an empty object."""
    try:
        text = body.decode()
        if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            text = parse_qs(text, max_num_fields=10).get("payload", [""])[0]
        return json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return None
