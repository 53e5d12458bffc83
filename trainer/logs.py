"""Where log lines go: to stdout, which is what AI Core keeps."""

from __future__ import annotations

import logging
import sys

from trainer.training.process import process_rank


def log_to_stdout(level: int = logging.INFO) -> None:
    """Our own lines from ``level`` on, everybody else's from WARNING: exporters are talkative.

    Of several processes of one training only the first speaks; the others have nothing to say but errors.
    """
    level = level if process_rank() == 0 else logging.ERROR
    logging.basicConfig(
        level=max(level, logging.WARNING),
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stdout,
        force=True,
    )
    logging.getLogger("trainer").setLevel(level)
