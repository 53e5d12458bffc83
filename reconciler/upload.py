"""Bring a dataset into an object store: side by side, skipping what is there, marked when it is whole."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from reconciler.clock import Clock, SystemClock
from reconciler.dataset import DatasetFile, DatasetManifest
from reconciler.objectstore import ObjectStore, marker_key

#: Seconds between two reports of progress.
REPORT_SECONDS = 0.2
#: Seconds over which the rate is taken: long enough to be calm, short enough to notice a change.
RATE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """How far an upload is; what was there already counts as done."""

    files_done: int
    files: int
    bytes_done: int
    bytes: int
    sent_bytes: int  #: of `bytes_done`, those that really travelled
    rate: float | None = field(default=None, compare=False)  #: bytes/s that travel; None: not known yet
    eta_seconds: float | None = field(default=None, compare=False)  #: until the last byte, at that rate


def upload(
    store: ObjectStore,
    prefix: str,
    manifest: DatasetManifest,
    progress: Callable[[UploadProgress], None] = lambda _: None,
    *,
    notes: Mapping[str, object] | None = None,
    clock: Clock | None = None,
) -> None:
    """Bring the dataset under `prefix`, skipping what lies there, and write the marker last.

    May be interrupted at any point and called again. `progress` is called from several threads, one at a
    time. `notes` go into the marker beside the manifest. Raises DatasetError where a file is no longer what
    was hashed, and what the store raises.
    """
    manifest.fetch()
    there = store.stored(prefix, manifest.files)
    tally = _Tally(manifest, there, progress, clock or SystemClock())
    tally.report()
    # The largest first: at the end no single file is left that only one thread works on.
    missing = sorted(
        (file for file in manifest.files if file.path not in there), key=lambda file: (-file.size, file.path)
    )

    def transfer(file: DatasetFile) -> None:
        store.put(prefix, manifest.source, file, tally.arrived)
        tally.finished()

    with ThreadPoolExecutor(store.workers) as pool:
        transfers = [pool.submit(transfer, file) for file in missing]
        try:
            ended = wait(transfers, return_when=FIRST_EXCEPTION).done
            if failure := next((t for t in transfers if t in ended and t.exception()), None):
                failure.result()
        except BaseException:
            tally.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    tally.report()
    marker = {**manifest.document(), **({"notes": dict(notes)} if notes else {})}
    store.write(marker_key(prefix), json.dumps(marker, indent=1).encode())


class _StoppedError(Exception):
    """Ends a transfer because another one has failed, or the user has had enough."""


class _Tally:
    """Counts what arrives, in any thread."""

    def __init__(
        self,
        manifest: DatasetManifest,
        there: frozenset[str],
        progress: Callable[[UploadProgress], None],
        clock: Clock,
    ) -> None:
        skipped = [file for file in manifest.files if file.path in there]
        self._manifest, self._progress, self._clock = manifest, progress, clock
        self._files, self._bytes, self._sent = len(skipped), sum(file.size for file in skipped), 0
        self._lock = threading.Lock()
        self._stopped = False
        self._reported = self._now()
        self._samples: deque[tuple[float, int]] = deque([(self._reported, 0)])

    def arrived(self, size: int, *, sent: bool) -> None:
        """An `objectstore.Arrived`."""
        if self._stopped:
            raise _StoppedError
        with self._lock:
            self._bytes += size
            self._sent += size if sent else 0
            self._report_now_and_then()

    def finished(self) -> None:
        with self._lock:
            self._files += 1
            self._report_now_and_then()

    def stop(self) -> None:
        """Transfers end at their next part."""
        self._stopped = True

    def report(self) -> None:
        with self._lock:
            self._report(self._now())

    def _report_now_and_then(self) -> None:
        now = self._now()
        if now - self._reported >= REPORT_SECONDS:
            self._report(now)

    def _report(self, now: float) -> None:
        self._reported = now
        self._samples.append((now, self._sent))
        while len(self._samples) > 2 and now - self._samples[1][0] >= RATE_SECONDS:
            self._samples.popleft()
        since, before = self._samples[0]
        rate = (self._sent - before) / (now - since) if now > since else None
        whole = self._manifest
        eta = (whole.bytes - self._bytes) / rate if rate else None
        self._progress(
            UploadProgress(self._files, len(whole.files), self._bytes, whole.bytes, self._sent, rate, eta)
        )

    def _now(self) -> float:
        return self._clock.now().timestamp()
