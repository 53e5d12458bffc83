"""``results.jsonl``: one line a picture, appended when it is done, so that a killed run can go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from trainer.batch.sources import Source
from trainer.errors import InputError, TrainerError

_BLOCK = 65536


class ResultsFolderError(InputError):
    """The results folder holds the results of another run, or of other pictures."""


class Journal:
    """The lines of one run. ``run.json`` beside them says whose they are: model, settings.

    Raises ``ResultsFolderError`` for the folder of another run, ``TrainerError`` where it cannot be written.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.path = folder / "results.jsonl"
        owner = folder / "run.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if owner.is_file():
                self._check_owner(owner, identity)
            elif self.path.exists():
                raise ResultsFolderError(f"{self.path} is of unknown origin: choose an empty results folder")
            else:
                owner.write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")
            self._file = self.path.open("ab")
        except OSError as error:
            raise TrainerError(f"{folder} cannot be written: {error.strerror or error}") from error
        _cut_off_torn_line(self.path)

    def _check_owner(self, owner: Path, identity: Mapping[str, Any]) -> None:
        try:
            found = json.loads(owner.read_text(encoding="utf-8"))
        except ValueError:
            found = None  # torn by a kill before any result was written
        if found is None and not self.path.exists():
            owner.write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")
        elif found != identity:
            raise ResultsFolderError(
                f"{owner.parent} holds the results of another model or other parameters: "
                "choose an empty folder"
            )

    def records(self) -> Iterator[dict[str, Any]]:
        """What was written so far, in order."""
        with self.path.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write records and hand them to the operating system: a kill after this loses none of them."""
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        self._file.write(lines.encode("utf-8"))
        self._file.flush()

    def remaining(self, sources: Iterable[Source]) -> Iterator[Source]:
        """The sources that have no line yet.

        The lines must be the first sources, in order: raises ``ResultsFolderError`` where pictures were
        added, renamed or removed since.
        """
        done = self.records()
        for source in sources:
            record = next(done, None)
            if record is None:
                yield source
            elif record["picture"] != source.name:
                raise self._changed(record["picture"], source.name)
        if (record := next(done, None)) is not None:
            raise self._changed(record["picture"], "nothing")

    def _changed(self, recorded: str, found: str) -> ResultsFolderError:
        return ResultsFolderError(
            f"the pictures have changed since {self.path} was begun ({recorded} was next, now {found} is): "
            "choose an empty results folder"
        )

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()


def _cut_off_torn_line(path: Path) -> None:
    """Drop what follows the last newline: the line a kill interrupted."""
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - _BLOCK)
            file.seek(start)
            place = file.read(end - start).rfind(b"\n")
            if place >= 0:
                file.truncate(start + place + 1)
                return
            end = start
        file.truncate(0)
