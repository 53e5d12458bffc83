"""Ours: `python -m trainer object-detection-train` and `predict`, as a user runs them.

Its minutes include the evaluations on the way, which the peers leave out.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from benchmarks import dataset
from benchmarks.outcome import Found, Outcome
from benchmarks.peers.arguments import parse

_LOWEST_SCORE = "0.01"


def main() -> None:
    """Train in a process of its own, then predict the validation pictures."""
    options = parse(__doc__)
    data = dataset.read(options.data)
    model = options.work / "model"
    _trainer(options, "object-detection-train", *_settings(options, data))
    card = json.loads((model / "model.json").read_text())
    Outcome(
        seconds=card["training"]["seconds"],
        pictures=card["training"]["steps"] * options.batch,
        parameters=_size(model),
        predictions=_predict(options, model, data),
    ).write(options.output)


def _settings(options: Namespace, data: dataset.Data) -> list[str]:
    values = {
        **data.selection,
        "batch_size": options.batch,
        "seed": options.seed,
        "maximum_training_minutes": options.minutes,
        "maximum_training_steps": 10_000_000,
        "evaluation_frequency": 0.2,
        "early_stopping": "False",
        "aicore_tracking": "False",
    }
    pairs = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
    return ["--datain", data.folder, "--trainedmodel", str(options.work / "model"), *pairs]


def _predict(options: Namespace, model: Path, data: dataset.Data) -> dict[str, list[Found]]:
    pictures = [sample.path for sample in data.validation]
    answer = _trainer(options, "predict", str(model), *pictures, "--threshold", _LOWEST_SCORE, "-o", "json")
    index = {name: number for number, name in enumerate(data.classes)}
    return {
        one["picture"]: [(*box["box"], box["score"], index[box["class"]]) for box in one["boxes"]]
        for one in json.loads(answer)
    }


def _size(model: Path) -> int:
    """Numbers in the weights file, from the shapes in its header."""
    with (model / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")


def _trainer(options: Namespace, *arguments: str) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
    command = [sys.executable, "-m", "trainer", *arguments]
    done = subprocess.run(command, env=environment, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"the training ended with exit code {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
