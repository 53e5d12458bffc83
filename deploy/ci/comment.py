#!/usr/bin/env python3
"""Post reports as one comment of a pull or merge request, and update that comment at the next push.

    comment.py [--result NAME OUTCOME]… FILE…

On GitHub it reads GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN and PULL_REQUEST, on GitLab CI_API_V4_URL,
CI_PROJECT_ID, CI_MERGE_REQUEST_IID and CORESPEC_GITLAB_TOKEN. Files that are not there are left out. Needs
Python 3.9 and nothing else. The comment is found by a hidden marker, and only among those that this very
account wrote: anybody can write a marker.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

MARKER = "<!-- corespec: plan and diff -->"
LIMIT = 64_000  # bytes; GitHub takes 65,536 characters
PAGE, PAGES = 100, 100
TIMEOUT = 30.0  # seconds


class CommentError(Exception):
    """The comment could not be posted; says what to do and holds no token."""


@dataclass(frozen=True)
class Platform:
    """Where comments are, and how one that is ours is told from others."""

    api: str
    headers: Mapping[str, str]
    comments: str
    """Path of all comments of the request."""
    one: str
    """Path of a comment, up to its id."""
    update: str
    """HTTP method that changes a comment."""
    author: str
    """Login on GitHub, user id on GitLab."""


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the token to another address."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = build_opener(_NoRedirect)


def github(environment: Mapping[str, str]) -> Platform:
    """The pull request that a GitHub workflow runs for."""
    repository = quote(_need(environment, "GITHUB_REPOSITORY"))
    number = quote(_need(environment, "PULL_REQUEST"), safe="")
    base = f"/repos/{repository}/issues"
    return Platform(
        api=_api(environment, "GITHUB_API_URL"),
        headers={
            "Authorization": f"Bearer {_need(environment, 'GITHUB_TOKEN')}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        comments=f"{base}/{number}/comments",
        one=f"{base}/comments",
        update="PATCH",
        author=environment.get("CORESPEC_COMMENT_AUTHOR") or "github-actions[bot]",
    )


def gitlab(environment: Mapping[str, str]) -> Platform:
    """The merge request that a GitLab pipeline runs for."""
    project = quote(_need(environment, "CI_PROJECT_ID"), safe="")
    number = quote(_need(environment, "CI_MERGE_REQUEST_IID"), safe="")
    notes = f"/projects/{project}/merge_requests/{number}/notes"
    api = _api(environment, "CI_API_V4_URL")
    headers = {"PRIVATE-TOKEN": _need(environment, "CORESPEC_GITLAB_TOKEN")}
    me = _call(api + "/user", "GET", headers)
    return Platform(api, headers, comments=notes, one=notes, update="PUT", author=str(me["id"]))


def body(files: list[Path], results: list[tuple[str, str]], environment: Mapping[str, str]) -> str:
    """The comment: what failed, then each report whole, or a word that it does not fit."""
    parts = [MARKER]
    parts += [
        f"**{name}: {outcome}**, see the [job]({_job(environment)})." for name, outcome in _bad(results)
    ]
    commit = environment.get("CI_COMMIT_SHA") or environment.get("GITHUB_SHA") or ""
    foot = f"<sub>corespec at {commit[:10]}</sub>\n"
    room = LIMIT - len("\n\n".join([*parts, foot]).encode()) - 200 * (len(files) + 1)
    for file in files:
        text = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
        size = len(text.encode())
        if size > room:
            parts.append(
                f"`{file.name}` is longer than a comment can be: see the [job]({_job(environment)})."
            )
        elif text:
            room -= size
            parts.append(text)
    return "\n\n".join([*parts, foot])


def post(platform: Platform, text: str) -> str:
    """Update our comment, or write the first one; returns `updated` or `created`."""
    found = next((comment for comment in _comments(platform) if _is_ours(comment, platform.author)), None)
    if found is None:
        _call(platform.api + platform.comments, "POST", platform.headers, {"body": text})
        return "created"
    address = f"{platform.api}{platform.one}/{int(found['id'])}"
    _call(address, platform.update, platform.headers, {"body": text})
    return "updated"


def _comments(platform: Platform) -> Iterator[dict[str, Any]]:
    for page in range(1, PAGES + 1):
        address = f"{platform.api}{platform.comments}?per_page={PAGE}&page={page}"
        found = _call(address, "GET", platform.headers)
        yield from found
        if len(found) < PAGE:
            return


def _is_ours(comment: Mapping[str, Any], author: str) -> bool:
    writer = comment.get("user") or comment.get("author") or {}
    return str(comment.get("body", "")).startswith(MARKER) and author in {
        str(writer.get("login", "")),
        str(writer.get("id", "")),
    }


def _call(address: str, method: str, headers: Mapping[str, str], data: Any = None) -> Any:
    request = Request(  # noqa: S310 - `_api` lets only HTTP through
        address,
        method=method,
        headers={**headers, "Content-Type": "application/json", "User-Agent": "corespec"},
        data=None if data is None else json.dumps(data).encode(),
    )
    where = f"{method} {urlsplit(address).path}"
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as answer:
            return json.loads(answer.read())
    except HTTPError as error:
        remedy = _remedy(error.code)
        raise CommentError(f"{where} was answered with {error.code}; {remedy}") from None
    except (URLError, HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise CommentError(f"{where} was not answered ({reason}); run the job again") from None
    except ValueError:
        raise CommentError(
            f"{where} was answered with something else than JSON; check the API's address"
        ) from None


def _remedy(code: int) -> str:
    if code in {401, 403, 404}:
        return "give the token the right to write comments"
    return "correct the API's address" if code < 400 else "run the job again"


def _bad(results: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, outcome) for name, outcome in results if outcome not in {"success", "skipped"}]


def _job(environment: Mapping[str, str]) -> str:
    if "CI_JOB_URL" in environment:
        return environment["CI_JOB_URL"]
    parts = [
        environment.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    ]
    return f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}"


def _api(environment: Mapping[str, str], name: str) -> str:
    address = _need(environment, name).rstrip("/")
    if urlsplit(address).scheme not in {"http", "https"}:
        raise CommentError(f"{name} is no HTTP address")
    return address


def _need(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise CommentError(f"the variable {name} is not set; see docs/review.md")
    return value


def main(arguments: list[str] | None = None) -> int:
    """Post the comment; 0, or 1 with one line on stderr."""
    parser = argparse.ArgumentParser(description="Post reports as one comment that is updated.")
    parser.add_argument("--result", nargs=2, action="append", default=[], metavar=("NAME", "OUTCOME"))
    parser.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    environment = dict(os.environ)
    try:
        platform = gitlab(environment) if environment.get("GITLAB_CI") else github(environment)
        done = post(platform, body(given.files, [tuple(pair) for pair in given.result], environment))
    except CommentError as error:
        sys.stderr.write(f"comment.py: {error}\n")
        return 1
    sys.stdout.write(f"comment {done}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
