"""Download a file over https, go on after an interruption, and use nothing before its SHA-256 is right."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests

from reconciler.clock import Clock
from reconciler.errors import DatasetError, ReconcilerError, TransientError
from reconciler.retry import repeat_read

#: Seconds between attempts that bring nothing new; one that brings something starts them afresh.
DELAYS = (1.0, 4.0, 15.0, 30.0)
#: Small: what a broken answer has brought of a chunk is lost.
_CHUNK = 1 << 16
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_MOST_REDIRECTS = 5
_MOST_BYTES = 64 << 30
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


def download(url: str, sha256: str, target: Path, clock: Clock, most_bytes: int = _MOST_BYTES) -> None:
    """Bring the content of `url` to `target`, whose `.part` keeps what has arrived so far.

    Only https is spoken, also after a redirect; proxies and certificates are those of the environment
    (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE). Raises DatasetError where the content is not the one with
    that SHA-256 or too large, and TransientError when the server does not deliver.
    """
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with requests.Session() as session:
        for resumed in (part.exists() and part.stat().st_size > 0, False):
            _fetch(session, url, part, clock, most_bytes)
            if _sha256(part) == sha256:
                part.replace(target)
                return
            part.unlink()
            if not resumed:
                break  # else: the file may have changed between the two halves
    raise DatasetError(
        f"{shown(url)} does not have the SHA-256 that the spec says.",
        remedy="The file has changed, or datasets.<name>.sha256 is wrong: ask its publisher.",
    )


def shown(url: str) -> str:
    """A URL for messages: without user, password and query, which may hold a signature."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{parts.hostname or ''}{port}", parts.path, "", ""))


def _fetch(session: requests.Session, url: str, part: Path, clock: Clock, most_bytes: int) -> None:
    """Attempts until the server has said that this was all."""
    while True:
        before = _size(part)

        def attempt(before: int = before) -> bool:
            try:
                return _attempt(session, url, part, most_bytes)
            except (requests.RequestException, TransientError) as error:
                if _size(part) > before:
                    return False  # something new has come: the next attempt is a first one again
                raise _translated(error, url) from None

        if repeat_read(attempt, clock, DELAYS):
            return


def _translated(error: Exception, url: str) -> ReconcilerError:
    if isinstance(error, ReconcilerError):
        return error
    kind = type(error).__name__
    if isinstance(error, requests.exceptions.SSLError):
        return DatasetError(
            f"{shown(url)}: the server's certificate cannot be trusted.",
            remedy="Where a proxy has a certificate of its own, name it in REQUESTS_CA_BUNDLE.",
        )
    return TransientError(f"{shown(url)} cannot be downloaded ({kind}).")


def _attempt(session: requests.Session, url: str, part: Path, most_bytes: int) -> bool:
    have = _size(part)
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with _follow(session, url, headers) as answer:
        if answer.status_code == 416:
            return True  # nothing lies beyond what is here; its SHA-256 decides
        _check_status(answer, url)
        ranged = _RANGE.match(answer.headers.get("Content-Range", ""))
        start = int(ranged[1]) if answer.status_code == 206 and ranged else 0
        if start not in {0, have}:
            raise TransientError(f"{shown(url)}: the server sends another part than was asked for.")
        length = answer.headers.get("Content-Length", "")
        if length.isdecimal() and start + int(length) > most_bytes:
            raise _too_large(url, most_bytes)
        with part.open("r+b" if start else "wb") as stream:
            stream.seek(start)
            for chunk in answer.iter_content(_CHUNK):
                start += len(chunk)
                if start > most_bytes:
                    raise _too_large(url, most_bytes)
                stream.write(chunk)
    return True


def _follow(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """The answer after redirects, each of which must be https too."""
    for _ in range(_MOST_REDIRECTS + 1):
        if urlsplit(url).scheme != "https":
            raise DatasetError(
                f"{shown(url)} is not https.", remedy="Name a source that is reached over https all the way."
            )
        answer = session.get(
            url,
            headers=headers,
            stream=True,
            allow_redirects=False,
            timeout=(_CONNECT_SECONDS, _READ_SECONDS),
        )
        if not answer.is_redirect:
            return answer
        answer.close()
        url = urljoin(url, answer.headers["Location"])
    raise DatasetError(f"{shown(url)}: too many redirects.", remedy="Name the file's own address.")


def _check_status(answer: requests.Response, url: str) -> None:
    status = answer.status_code
    if status in {200, 206}:
        return
    if status >= 500 or status in {408, 425, 429}:
        after = answer.headers.get("Retry-After", "")
        raise TransientError(
            f"{shown(url)}: the server answers {status}.",
            retry_after=float(after) if after.isdecimal() else None,
        )
    raise DatasetError(
        f"{shown(url)}: the server answers {status}.", remedy="Correct datasets.<name>.source."
    )


def _too_large(url: str, most_bytes: int) -> DatasetError:
    return DatasetError(
        f"{shown(url)} is larger than {most_bytes / 1e9:.0f} GB.",
        remedy="Put it into a bucket and name it as s3://bucket/prefix.",
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
