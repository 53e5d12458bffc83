"""One batch run: from a folder of pictures and a model to the results folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from trainer.batch.journal import Journal
from trainer.batch.pipeline import Done, process
from trainer.batch.sources import check_place, count, pictures
from trainer.batch.tables import Tally, write_tables
from trainer.detection.drawing import enlarged
from trainer.errors import InputError, ParameterError
from trainer.inference.card import DESCRIPTION, WEIGHTS, find_model
from trainer.inference.detector import Found
from trainer.inference.models import Model, Settings, chosen, load_model
from trainer.inference.pictures import decode
from trainer.inference.session import gpu_available, usable_cores
from trainer.logs import log_to_stdout
from trainer.parameters.batch import BatchParameters
from trainer.tracking import Progress, Tracker, connect

logger = logging.getLogger(__name__)

CPU_BATCH, GPU_BATCH = 8, 32
"""Pictures at once where ``batch_size`` is 0: on a CPU more only take memory."""

LOG_SECONDS = 10.0
DRAWN = "drawn"


def run(parameters: BatchParameters, datain: Path, modelin: Path, results: Path) -> int:
    """Process ``datain`` with the model in ``modelin``; 0 when the results folder is complete.

    Bad pictures are listed and end nothing. Raises ``InputError`` (exit 2) for a model, a folder or an
    earlier run that does not fit, and where not one picture could be used.
    """
    log_to_stdout()
    tracker = connect(parameters.aicore_tracking)
    try:
        BatchRun(parameters, datain, modelin, results, tracker).run()
    finally:
        tracker.close()
    return 0


class BatchRun:
    """Model, journal and pace of one run."""

    def __init__(
        self, parameters: BatchParameters, datain: Path, modelin: Path, results: Path, tracker: Tracker
    ) -> None:
        check_place(datain)
        if results.resolve().is_relative_to(datain.resolve()):
            raise InputError(f"{results} lies inside {datain}: results would be taken for pictures")
        self.parameters = parameters
        self.datain = datain
        self.results = results
        self.tracker = tracker
        gpu = _use_gpu(parameters.accelerator)
        folder = find_model(modelin, parameters.model_file)
        settings = Settings(
            gpu=gpu,
            threshold=chosen(parameters.score_threshold),
            overlap=chosen(parameters.iou_threshold),
        )
        self.model: Model = load_model(folder, settings)
        self.batch_size = parameters.batch_size or (GPU_BATCH if gpu else CPU_BATCH)
        self.identity = _identity(folder, parameters)
        self.began = self.told = time.monotonic()

    def run(self) -> None:
        """Compute what has no result yet, then write the tables and, last, ``summary.json``."""
        journal = Journal(self.results, self.identity)
        total = count(self.datain, self.parameters.image_types)
        before = sum(1 for _ in journal.records())
        if before:
            logger.info("going on after %d pictures that are done", before)
        done = before
        sources = journal.remaining(pictures(self.datain, self.parameters.image_types))
        with contextlib.closing(journal):
            for batch in process(
                self.model,
                sources,
                batch_size=self.batch_size,
                workers=usable_cores(),
                keep=self.parameters.draw_boxes,
            ):
                journal.append(list(self._records(batch, done)))
                done += len(batch)
                self._tell(done, before, total)
        tally = write_tables(self.model.card.task, journal.records(), self.results)
        self._finish(tally, done - before)

    def _records(self, batch: Sequence[Done], first: int) -> Iterator[dict[str, Any]]:
        for place, item in enumerate(batch, start=first + 1):
            record = item.as_record()
            if self.parameters.draw_boxes and isinstance(item.result, Found):
                record["drawn"] = _draw(item, place, self.results)
            yield record

    def _tell(self, done: int, before: int, total: int | None) -> None:
        """A log line every ten seconds, and the progress for AI Core where the number is known."""
        now = time.monotonic()
        if now - self.told < LOG_SECONDS:
            return
        self.told = now
        speed = (done - before) / (now - self.began)
        logger.info("%d pictures%s, %.1f pictures/s", done, f" of {total}" if total else "", speed)
        if total:
            remaining = max(0, total - done) / speed if speed else 0.0
            self.tracker.progress(Progress(done, total, remaining, min(1.0, done / total), "predict"))

    def _finish(self, tally: Tally, computed: int) -> None:
        seconds = time.monotonic() - self.began
        if not tally.pictures:
            types = ", ".join(self.parameters.image_types)
            raise InputError(f"{self.datain} holds no picture: looked for {types} in folders and archives")
        summary = {
            "format_version": 1,
            "pictures": tally.pictures,
            "bad_pictures": tally.bad,
            "faults": dict(sorted(tally.faults.items())),
            "classes": {name: tally.classes[name] for name in self.model.card.classes},
            "seconds": round(seconds, 2),
            "pictures_this_time": computed,
            **self.identity,
        }
        path = self.results / "summary.json"
        path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        speed = computed / max(seconds, 1e-9)
        metrics = {"pictures": tally.pictures, "bad_pictures": tally.bad, "images_per_second": speed}
        self.tracker.metrics(metrics, step=tally.pictures, split="batch")
        self.tracker.progress(Progress(tally.pictures, tally.pictures, 0.0, 1.0, "predict"))
        logger.info("%d pictures, %d of them bad, results in %s", tally.pictures, tally.bad, self.results)
        if tally.bad == tally.pictures:
            raise InputError(
                f"none of {tally.bad} pictures could be used: see {self.results}/bad_pictures.csv"
            )


def _use_gpu(accelerator: str) -> bool:
    if accelerator == "gpu" and not gpu_available():
        raise ParameterError(
            ["parameter accelerator: gpu, but ONNX Runtime finds none here; use auto or cpu"]
        )
    return accelerator != "cpu" and gpu_available()


def _identity(folder: Path, parameters: BatchParameters) -> dict[str, Any]:
    """What two runs must share for the one to go on where the other ended."""
    digest = hashlib.sha256()
    for name in (DESCRIPTION, WEIGHTS):
        digest.update((folder / name).read_bytes())
    told = parameters.as_dict()
    result = ("image_types", "iou_threshold", "score_threshold", "draw_boxes")
    return {"model": digest.hexdigest(), "parameters": {name: told[name] for name in result}}


def _draw(item: Done, place: int, results: Path) -> str:
    """Write the picture with its boxes, under a name of our own: archives call their members anything."""
    assert isinstance(item.result, Found)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", PurePosixPath(item.prepared.name).stem)[:60]
    path = results / DRAWN / f"{place:07d}_{stem}.jpg"
    path.parent.mkdir(exist_ok=True)
    canvas, factor = enlarged(decode(item.prepared.content))
    item.result.draw(canvas, factor)
    canvas.save(path, quality=90)
    return path.relative_to(results).as_posix()
