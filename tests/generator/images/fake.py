"""An engine that answers with streams recorded from a Docker engine, and remembers what it was asked."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import requests
from docker.errors import APIError, ImageNotFound, NotFound

DIGEST = "sha256:5aba3dfd1b21f300be7407da0a3aff6ed49f58555963add8567bc1296513dcb4"
IMAGE_ID = "sha256:d497a8fb7b372a3e9a1bf5fe21c3cf6d5e6e7b56b6ac0d2cdd6b1f2d0d4b8a11"
REFERENCE = "docker.io/acme/digits:0.0.1"

# Lines of real streams (engine 20.10, API 1.41), shortened.
BUILD_OK: list[Mapping[str, Any]] = [
    {"stream": "Step 1/4 : FROM python:3.11-slim-bookworm AS packages"},
    {"stream": "\n"},
    {"stream": " ---> 066295d43ac4\n"},
    {"stream": "Step 2/4 : RUN pip install --requirement requirements.txt"},
    {"stream": "\n"},
    {"stream": " ---> Using cache\n"},
    {"stream": " ---> 0a9086ad30fe\n"},
    {"stream": "Step 3/4 : COPY trainer/ ./trainer/"},
    {"stream": "\n"},
    {"stream": " ---> 880f9f6c48e2\n"},
    {"stream": "Step 4/4 : RUN echo hello"},
    {"stream": "\n"},
    {"stream": " ---> Running in 1f2d3c4b5a69\n"},
    {"stream": "hel"},
    {"stream": "lo\n10%\r 100%\n   ━━━━━━━━━━ 8.3/8.3 kB 12.0 MB/s eta 0:00:00\n"},
    {"stream": "Removing intermediate container 1f2d3c4b5a69\n"},
    {"stream": " ---> d497a8fb7b37\n"},
    {"aux": {"ID": IMAGE_ID}},
    {"stream": "Successfully built d497a8fb7b37\n"},
    {"stream": f"Successfully tagged {REFERENCE}\n"},
]
PUSH_OK: list[Mapping[str, Any]] = [
    {"status": "The push refers to repository [docker.io/acme/digits]"},
    {"status": "Preparing", "progressDetail": {}, "id": "8e8d4ec27c48"},
    {"status": "Pushing", "progressDetail": {"current": 512, "total": 2048}, "id": "8e8d4ec27c48"},
    {"status": "Pushed", "progressDetail": {}, "id": "8e8d4ec27c48"},
    {"status": f"0.0.1: digest: {DIGEST} size: 947"},
    {"progressDetail": {}, "aux": {"Tag": "0.0.1", "Digest": DIGEST, "Size": 947}},
]


def failure(text: str) -> Mapping[str, Any]:
    """The line with which a stream tells of a failure."""
    return {"errorDetail": {"message": text}, "error": text}


def api_error(status: int, text: str) -> APIError:
    """The exception with which the SDK answers a call that failed before its stream began."""
    response = requests.Response()
    response.status_code = status
    kind = NotFound if status == 404 else APIError
    return kind(f"{status} for http+docker://localhost", response=response, explanation=text)


@dataclass
class FakeEngine:
    """`stream` is what build and push answer, `digests` what registries hold, `absent`
    what the engine does not; `fault` is raised instead."""

    stream: Iterable[Mapping[str, Any]] = ()
    digests: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    fault: Exception | None = None
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    contexts: list[bytes] = field(default_factory=list)

    def build(self, *, fileobj: IO[bytes], **options: Any) -> Iterable[Mapping[str, Any]]:
        self.calls.append(("build", options))
        self.contexts.append(fileobj.read())
        return self._answer()

    def push(self, repository: str, **options: Any) -> Iterable[Mapping[str, Any]]:
        self.calls.append(("push", {"repository": repository, **options}))
        return self._answer()

    def pull(self, repository: str, **options: Any) -> Iterable[Mapping[str, Any]]:
        self.calls.append(("pull", {"repository": repository, **options}))
        return self._answer()

    def inspect_image(self, image: str) -> Mapping[str, Any]:
        if image in self.absent:
            raise ImageNotFound("404", response=None, explanation=f"No such image: {image}")
        return {"Id": IMAGE_ID, "Size": 1_424_784_807, "Config": {"Labels": self.labels or None}}

    def inspect_distribution(
        self, image: str, auth_config: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        self.calls.append(("inspect_distribution", {"image": image, "auth_config": auth_config}))
        if self.fault:
            raise self.fault
        if image not in self.digests:
            raise api_error(404, "manifest unknown: manifest unknown")
        return {"Descriptor": {"digest": self.digests[image], "size": 947}}

    def _answer(self) -> Iterable[Mapping[str, Any]]:
        yield from self.stream
        if self.fault:
            raise self.fault


def entries(context: bytes) -> dict[str, tarfile.TarInfo]:
    """What lies in a build context, by path."""
    with tarfile.open(fileobj=io.BytesIO(context)) as archive:
        return {member.name: member for member in archive.getmembers()}
