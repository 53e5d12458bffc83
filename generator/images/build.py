"""A build context becomes an image."""

from __future__ import annotations

import re
import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docker.errors import APIError

from generator.images.context import write_context
from generator.images.engine import Engine, Line, reachable
from generator.images.errors import BuildError
from generator.images.events import ImageEvent, ImageEventKind, Listener, layer_event, silent

__all__ = ["BuildOptions", "BuiltImage", "build_image"]

#: What AI Core runs.
PLATFORM = "linux/amd64"
#: Lines of the log that a BuildError repeats.
LOG_LINES = 20
#: Values of build arguments that are shorter hide nothing, and would garble the log.
MIN_HIDDEN = 4

_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_CACHED = "---> Using cache"
_BAR = "━"  # of pip: without a terminal it comes when all is over
_ABOUT_LAYERS = re.compile(r"---> |Removing intermediate container |Successfully (?:built|tagged) ")
_NETWORK = (
    r"Temporary failure in name resolution|no such host|timed out|Connection (?:refused|reset|aborted)|"
    r"Network is unreachable|TLS handshake timeout"
)
_BASE = (
    r"pull access denied|no basic auth credentials|unauthorized: |manifest unknown|manifest for .* not found|"
    r"no such image"
)
# What the log says -> what to do about it, and whether trying again can help; the first that fits.
_REMEDIES = (
    (
        r"No matching distribution found for torch==",
        (
            "This torch is on none of the indexes that pip asked: hand its wheel in with --wheels DIR, or "
            "name an index that has it with --build-arg TORCH_INDEX_URL=…."
        ),
        False,
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "A package is not the one that was locked: find out why before you lock it anew.",
        False,
    ),
    (_NETWORK, "Try again when the network is there; an index of your own goes in by --build-arg.", True),
    (_BASE, "Check docker.bases of the environment, and `docker login` where the base is private.", False),
    (r"", "Correct what the log names, in the catalogue's Dockerfile or packages, and build again.", False),
)


@dataclass(frozen=True)
class BuildOptions:
    """How to build. `arguments` are build arguments by name; they may hold secrets, so they are not shown."""

    arguments: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str = PLATFORM
    cache: bool = True
    pull: bool = False


@dataclass(frozen=True)
class BuiltImage:
    """An image that the engine holds now. `size` is in bytes; `cached` of `steps` came from the cache."""

    reference: str
    id: str
    size: int
    steps: int
    cached: int


def build_image(
    engine: Engine,
    reference: str,
    files: Mapping[str, bytes | Path],
    options: BuildOptions | None = None,
    listener: Listener = silent,
) -> BuiltImage:
    """Build `files` (path in the context -> content, or its file) and tag the image `host/name:tag`.

    Raises BuildError with the last lines of the log, or EngineUnavailableError.
    """
    options = options or BuildOptions()
    log = BuildLog(reference, listener, options.arguments)
    with tempfile.TemporaryFile() as context:
        write_context(files, context)
        context.seek(0)
        try:
            with reachable():
                for line in engine.build(
                    fileobj=context,
                    custom_context=True,
                    decode=True,
                    tag=reference,
                    rm=True,
                    forcerm=True,
                    pull=options.pull,
                    nocache=not options.cache,
                    platform=options.platform,
                    buildargs=dict(options.arguments),
                    labels=dict(options.labels),
                ):
                    log.read(line)
        except APIError as error:
            raise log.failure(error.explanation or str(error)) from None
    log.flush()
    if log.error:
        raise log.failure(log.error)
    with reachable():
        found = engine.inspect_image(reference)
    listener(ImageEvent(ImageEventKind.DONE, reference, str(found["Id"]), log.step, log.steps))
    return BuiltImage(reference, str(found["Id"]), int(found["Size"]), log.steps, log.cached)


class BuildLog:
    """Reads the engine's stream: reports steps and lines, remembers the last lines and the failure.

    Where a line repeats the value of a build argument, the argument's name stands instead.
    """

    def __init__(self, reference: str, listener: Listener, arguments: Mapping[str, str]) -> None:
        self.step = self.steps = self.cached = 0
        self._arguments = arguments
        self.error = ""
        self._reference = reference
        self._listener = listener
        self._last: deque[str] = deque(maxlen=LOG_LINES)
        self._partial = ""

    def read(self, line: Line) -> None:
        """Take one object of the stream; text may end in the middle of a line."""
        if "error" in line:
            self.error = str(line["error"]).strip()
        elif "stream" in line:
            *whole, self._partial = (self._partial + str(line["stream"])).split("\n")
            for text in whole:
                self._take(text)
        elif "status" in line:
            self._listener(layer_event(self._reference, line, self.step, self.steps))

    def flush(self) -> None:
        """Take what is left without an end of line."""
        self._take(self._partial)
        self._partial = ""

    def failure(self, reason: str) -> BuildError:
        """The error that ends this build."""
        self.flush()
        reason = self._hide(reason)
        said = "\n".join([*self._last, reason])
        remedy, transient = next(
            (remedy, transient)
            for words, remedy, transient in _REMEDIES
            if re.search(words, said, re.IGNORECASE)
        )
        return BuildError(
            f"{self._reference} cannot be built: {reason}",
            log=tuple(self._last),
            remedy=remedy,
            transient=transient,
        )

    def _take(self, text: str) -> None:
        text = self._hide(text.rpartition("\r")[2].rstrip())  # a progress bar draws over itself
        if not text or text.lstrip().startswith(_BAR):
            return
        self._last.append(text)
        if step := _STEP.fullmatch(text):
            self.step, self.steps = int(step[1]), int(step[2])
            self._report(ImageEventKind.STEP, step[3])
        elif text.strip() == _CACHED:
            self.cached += 1
            self._report(ImageEventKind.CACHED, "")
        elif not _ABOUT_LAYERS.match(text.strip()):
            self._report(ImageEventKind.OUTPUT, text)

    def _hide(self, text: str) -> str:
        for name, value in self._arguments.items():
            text = text.replace(value, f"${name}") if len(value) >= MIN_HIDDEN else text
        return text

    def _report(self, kind: ImageEventKind, message: str) -> None:
        self._listener(ImageEvent(kind, self._reference, message, self.step, self.steps))
