"""Reading pictures with the trained model, and saying honestly how it compares with the truth."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corespec import output
from corespec.demo import shell
from corespec.demo.dataset import boxes, find_picture, readings
from corespec.demo.workspace import Workspace
from corespec.errors import CommandError
from reconciler.exitcode import ExitCode

#: Pictures of the test split that are read; the first one is drawn.
PICTURES = 5


@dataclass(frozen=True, slots=True)
class Compared:
    """What the model says of one picture beside what is true; `true` is empty where nothing is known.

    A `counter` is read right or wrong as a whole. Of other pictures the boxes are counted, and a miss among
    many is no wrong picture.
    """

    picture: Path
    said: str
    true: str
    counter: bool = True

    @property
    def right(self) -> bool:
        return self.said == self.true

    def line(self) -> str:
        if not self.true:
            return f"  {self.picture.name}: {self.said}"
        if not self.counter:
            return f"  {self.picture.name}: found {self.said}; marked in the data {self.true}"
        verdict = "right" if self.right else "wrong"
        return f"  {self.picture.name}: read {self.said}, true {self.true}: {verdict}"


def read_pictures(place: Workspace, source: Path, model: Path) -> None:
    """Run the trainer's predict on test pictures, draw the first with its boxes, and print both sides."""
    pictures = _test_pictures(source, model)
    drawings = place.root / "readings"
    words: tuple[str | Path, ...] = (
        "python",
        "-m",
        "trainer",
        "predict",
        model,
        *pictures,
        "--draw",
        drawings,
    )
    output.say(f"$ {shell.shown(words)}")
    predictions: Sequence[Mapping[str, Any]] = json.loads(shell.captured(*words, "-o", "json"))
    compared = [compare(prediction, source) for prediction in predictions]
    for row in compared:
        output.say(row.line())
    known = [row for row in compared if row.true and row.counter]
    if known:
        output.say(f"{sum(row.right for row in known)} of {len(known)} right.")
    shutil.copyfile(drawings / f"{pictures[0].stem}.png", place.reading)
    output.say(f"The first picture with its boxes: {place.reading}")


def compare(prediction: Mapping[str, Any], source: Path) -> Compared:
    """A counter by its digits where the model reads one, any other picture by its boxes of each class."""
    picture = Path(prediction["picture"])
    if "reading" in prediction:
        return Compared(picture, prediction["reading"] or "nothing", readings(source).get(picture.stem, ""))
    found = Counter(str(box["class"]) for box in prediction["boxes"])
    said = _counted(found) or "nothing"
    return Compared(picture, said, _counted(boxes(source, picture.stem)), counter=False)


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items()))


def _test_pictures(source: Path, model: Path) -> list[Path]:
    """The first pictures of the split that the training never saw, as the model folder lists them."""
    for split in ("test", "validation"):
        path = model / f"{split}.txt"
        stems = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
        found = [find_picture(source, stem.strip()) for stem in stems if stem.strip()][:PICTURES]
        if pictures := [picture for picture in found if picture is not None]:
            return pictures
    raise CommandError(
        f"{model} lists no test picture that lies in {source}",
        remedy="Were pictures moved since the training? Run the demo again to train on what is there now.",
        code=ExitCode.FAILURE,
    )
