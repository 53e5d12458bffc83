"""The command line that every contender of the training benchmark understands."""

from __future__ import annotations

import argparse
from pathlib import Path


def parse(description: str | None) -> argparse.Namespace:
    """`data` and `output` are JSON files; `work` is an empty folder."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="what benchmarks.dataset wrote")
    parser.add_argument("--work", type=Path, required=True, help="folder for files on the way")
    parser.add_argument("--output", type=Path, required=True, help="where the outcome is written")
    parser.add_argument("--minutes", type=float, required=True, help="training time")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1337)
    return parser.parse_args()
