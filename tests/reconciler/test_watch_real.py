"""`corespec status --watch` as a process of its own, ended by Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.reconciler.project import CATALOG, Project


def _mind_ctrl_c() -> None:
    """As on a terminal: tests that a script runs in its background inherit that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_the_watch_with_0(project: Project) -> None:
    """The rows come once; nothing is written to stderr."""
    words = ["status", "--watch", "--every", "1", "-C", str(project.clone), "--catalog", str(CATALOG)]
    process = subprocess.Popen(
        [sys.executable, "-m", "corespec", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_mind_ctrl_c,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ADDRESS")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
