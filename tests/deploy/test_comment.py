"""deploy/ci/comment.py against a small API on loopback: written first, updated then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy/ci/comment.py"
MARKER = "<!-- corespec: plan and diff -->"
TOKEN = "t0p-s3cret"


class Api:
    """Comments of one request, as GitHub and GitLab keep them."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.status = 0
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def write(self, body: str, writer: str | int) -> None:
        """A comment by somebody."""
        number = len(self.comments) + 1
        self.comments.append(
            {"id": number, "body": body, "user": {"login": writer}, "author": {"id": writer}}
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith("/user"):
                    self._answer({"id": 7})
                    return
                query = {key: int(value[0]) for key, value in parse_qs(urlsplit(self.path).query).items()}
                start = (query["page"] - 1) * query["per_page"]
                self._answer(api.comments[start : start + query["per_page"]])

            def do_POST(self) -> None:
                api.write(self._body(), "github-actions[bot]" if "repos" in self.path else 7)
                self._answer(api.comments[-1], 201)

            def do_PATCH(self) -> None:
                comment = api.comments[int(self.path.rpartition("/")[2]) - 1]
                comment["body"] = self._body()
                self._answer(comment)

            def do_PUT(self) -> None:
                self.do_PATCH()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                """Quiet."""

            def _body(self) -> str:
                return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

            def _answer(self, document: Any, status: int = 200) -> None:
                api.requests.append(f"{self.command} {self.path}")
                given = self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN") or ""
                status = api.status or (status if given.endswith(TOKEN) else 401)
                content = json.dumps(document).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"{api.url}/elsewhere")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler


@pytest.fixture
def api() -> Iterator[Api]:
    running = Api()
    thread = threading.Thread(target=running.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield running
    running.http.shutdown()
    running.http.server_close()
    thread.join(10)


@pytest.fixture(params=["github", "gitlab"])
def variables(request: pytest.FixtureRequest, api: Api) -> dict[str, str]:
    """What the platform sets."""
    if request.param == "github":
        return {
            "GITHUB_API_URL": api.url,
            "GITHUB_REPOSITORY": "acme/gitops",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_RUN_ID": "42",
            "GITHUB_SHA": "f" * 40,
            "GITHUB_TOKEN": TOKEN,
            "PULL_REQUEST": "5",
        }
    return {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": api.url + "/api/v4",
        "CI_PROJECT_ID": "12",
        "CI_MERGE_REQUEST_IID": "5",
        "CI_JOB_URL": "https://gitlab.com/jobs/1",
        "CI_COMMIT_SHA": "f" * 40,
        "CORESPEC_GITLAB_TOKEN": TOKEN,
    }


def run(folder: Path, variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-I", str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, env=kept | variables, capture_output=True, text=True)


def test_the_first_run_writes_the_comment_and_the_next_ones_update_it(
    api: Api, variables: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "diff.md").write_text("### one file changed ünïcode\n")
    for number, expected in enumerate(["created", "updated", "updated"]):
        (tmp_path / "plan.md").write_text(f"### plan {number}\n")
        done = run(tmp_path, variables, "diff.md", "plan.md", "absent.md")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"comment {expected}\n", "")
    (comment,) = api.comments
    assert comment["body"] == (
        f"{MARKER}\n\n### one file changed ünïcode\n\n### plan 2\n\n<sub>corespec at ffffffffff</sub>\n"
    )


def test_comments_of_others_are_never_touched(api: Api, variables: dict[str, str], tmp_path: Path) -> None:
    """Even where somebody puts our marker into one; ours is found behind hundreds of them."""
    for number in range(230):
        api.write(f"{MARKER} stolen" if number == 3 else "Looks good", "mallory")
    (tmp_path / "diff.md").write_text("new")
    assert run(tmp_path, variables, "diff.md").stdout == "comment created\n"
    assert run(tmp_path, variables, "diff.md").stdout == "comment updated\n"
    assert len(api.comments) == 231
    assert api.comments[3]["body"] == f"{MARKER} stolen"
    assert "new" in api.comments[230]["body"]


def test_what_failed_is_said_first(api: Api, variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "diff.md").write_text("report")
    results = ("--result", "check", "failure", "--result", "plan", "skipped")
    assert run(tmp_path, variables, *results, "diff.md").returncode == 0
    lines = api.comments[0]["body"].splitlines()
    assert lines[2].startswith("**check: failure**, see the [job](https://git")
    assert "plan" not in lines[3]


def test_a_report_that_does_not_fit_is_left_out_whole(
    api: Api, variables: dict[str, str], tmp_path: Path
) -> None:
    """Half a report would leave a table or a fold open."""
    (tmp_path / "diff.md").write_text("é" * 20_000)
    (tmp_path / "plan.md").write_text("<details>" + "x" * 40_000 + "</details>")
    assert run(tmp_path, variables, "diff.md", "plan.md").returncode == 0
    body = api.comments[0]["body"]
    assert "é" * 20_000 in body
    assert "<details>" not in body
    assert "`plan.md` is longer than a comment can be" in body
    assert len(body.encode()) < 65_536


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "give the token the right"),
        (403, "give the token"),
        (500, "run the job again"),
        (302, "address"),
    ],
)
def test_a_refusal_is_one_line_without_the_token(
    api: Api, variables: dict[str, str], tmp_path: Path, status: int, words: str
) -> None:
    """A redirect is not followed: it would carry the token elsewhere."""
    api.status = status
    (tmp_path / "diff.md").write_text("x")
    done = run(tmp_path, variables, "diff.md")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert f"answered with {status}" in done.stderr
    assert words in done.stderr
    assert TOKEN not in done.stderr
    assert not any("elsewhere" in request for request in api.requests)


def test_what_is_missing_is_named(api: Api, variables: dict[str, str], tmp_path: Path) -> None:
    """Each variable, and an API that is not there."""
    (tmp_path / "diff.md").write_text("x")
    token = "CORESPEC_GITLAB_TOKEN" if "GITLAB_CI" in variables else "GITHUB_TOKEN"
    address = "CI_API_V4_URL" if "GITLAB_CI" in variables else "GITHUB_API_URL"
    for changed, words in (
        ({token: ""}, f"the variable {token} is not set"),
        ({address: "file:///etc"}, f"{address} is no HTTP address"),
        ({address: "http://127.0.0.1:1"}, "was not answered"),
    ):
        done = run(tmp_path, variables | changed, "diff.md")
        assert done.returncode == 1
        assert words in done.stderr
        assert TOKEN not in done.stderr
