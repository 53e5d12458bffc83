"""Marks: what tells whether a write-only value has changed since it was last written.

AI Core never returns a password or a key. So a keyed, memory-hard hash of the values that were written last
is kept as a label in AI Core itself (docs/decisions has why): on the secret where it can have labels, else on
the resource group. The key is derived from the credentials of AI Core, which everybody has who may write the
values at all, and which no label gives away. Without that key a mark tells nothing: `Written.UNKNOWN`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from reconciler.connection import Credentials
from reconciler.errors import AuthenticationError
from reconciler.live import Written

__all__ = ["OWN_LABEL", "Marker", "label_of"]

#: Label of an object that can have labels of its own.
OWN_LABEL = "ext.ai.sap.com/corespec.mark"
_PREFIX = "ext.ai.sap.com/corespec"
_VERSION = "1"
_SALT_BYTES = 9
_DIGEST_BYTES = 18
#: scrypt: 8 MiB and some 25 ms for each guess, on top of a key that is not known.
_COST, _BLOCK = 2**13, 8


def label_of(address: str) -> str:
    """The label of the resource group that holds the mark of an object: at most 63 characters."""
    kind = address.partition("/")[0]
    return f"{_PREFIX}.{kind}.{hashlib.sha256(address.encode()).hexdigest()[:12]}"


class Marker:
    """Makes and reads the marks of one AI Core."""

    def __init__(self, credentials: Credentials) -> None:
        self._key = hmac.digest(_secret_of(credentials), b"corespec: marks of write-only values", "sha256")
        #: tells which key made a mark, and nothing about it
        self._id = hmac.digest(self._key, b"name of this key", "sha256")[:4].hex()

    def make(self, address: str, values: Mapping[str, str]) -> str:
        """The mark of `values`, different each time; at most 120 characters."""
        salt = secrets.token_hex(_SALT_BYTES)
        return ":".join((_VERSION, self._id, salt, self._digest(address, values, salt)))

    def read(self, mark: str | None, address: str, values: Mapping[str, str]) -> Written:
        """What a mark says about `values`. Never SAME by guess: a mark that cannot be read says UNKNOWN."""
        version, key, salt, digest = (*(mark or "").split(":"), "", "", "", "")[:4]
        if version != _VERSION or key != self._id or not salt or not digest:
            return Written.UNKNOWN
        same = hmac.compare_digest(self._digest(address, values, salt).encode(), digest.encode())
        return Written.SAME if same else Written.CHANGED

    def _digest(self, address: str, values: Mapping[str, str], salt: str) -> str:
        text = json.dumps([address, sorted(values.items())]).encode()
        keyed = hmac.digest(self._key, salt.encode(), "sha256")
        return hashlib.scrypt(text, salt=keyed, n=_COST, r=_BLOCK, p=1, dklen=_DIGEST_BYTES).hex()


def _secret_of(credentials: Credentials) -> bytes:
    """The secret part of the credentials: a client secret, or the private key of a certificate."""
    known = credentials.arguments
    if path := known.get("key_file_path"):
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise AuthenticationError(
                f"The private key of the credentials of AI Core cannot be read ({error.strerror}): {path}"
            ) from None
    return (known.get("client_secret") or known.get("key_str") or "").encode()
