"""ONNX Runtime sessions for the machine as it is: a container has fewer cores than its host."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from trainer.inference.card import WEIGHTS, ModelError

logger = logging.getLogger(__name__)

CPU, GPU = "CPUExecutionProvider", "CUDAExecutionProvider"
CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(limit: Path = CGROUP_LIMIT) -> int:
    """Cores this process may use: its affinity, cut by the container's quota (cgroup v2)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = limit.read_text(encoding="ascii").split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroup v2, or "max"
        return cores


def gpu_available() -> bool:
    """Whether this build of ONNX Runtime computes on CUDA."""
    return GPU in onnxruntime.get_available_providers()


def open_session(folder: Path, *, gpu: bool = False, pin: bool = False, threads: int = 0) -> Any:
    """The session of a model folder; ``pin`` binds every computing thread to a core of its own.

    It computes on ``threads`` threads, 0: on all cores. Raises ``ModelError`` where ``model.onnx`` cannot be
    loaded.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = cores = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # one for every size of batch, each a block of its own that is kept
    # Threads that spin while they wait starve the web server and the decoders.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if pin and cores > 1:
        options.add_session_config_entry("session.intra_op_thread_affinities", _affinities(cores))
    providers = [GPU, CPU] if gpu and gpu_available() else [CPU]
    try:
        session = onnxruntime.InferenceSession(folder / WEIGHTS, options, providers=providers)
    except _LOADING_ERRORS as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{folder / WEIGHTS} cannot be loaded: {reason}") from error
    logger.info("%s on %s, %d threads", folder / WEIGHTS, session.get_providers()[0], cores)
    return session


class SharedSession:
    """A session for many callers at once, on CPUs: who runs alone has all cores, who does not has one.

    Runs beside each other get more done than one after the other on many threads, whose parts wait for the
    slowest; a run without company is done sooner on all cores. It takes a session for each of the two.
    """

    def __init__(self, folder: Path, *, pin: bool = False) -> None:
        self._wide = open_session(folder, pin=pin)
        self._narrow = open_session(folder, threads=1)
        self._lock = threading.Lock()
        self._running = 0

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Any]) -> Any:
        """As a session of ONNX Runtime does."""
        with self._lock:
            session = self._narrow if self._running else self._wide
            self._running += 1
        try:
            return session.run(outputs, inputs)
        finally:
            with self._lock:
                self._running -= 1

    def get_outputs(self) -> Any:
        """As a session of ONNX Runtime does."""
        return self._wide.get_outputs()


def _affinities(cores: int) -> str:
    """One core for each thread but the caller's own, which ONNX Runtime leaves alone; counted from 1."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(cores))
    return ";".join(str(core + 1) for core in allowed[1:cores])


def _loading_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises for files it cannot run: its binding exports no common base class."""
    binding = onnxruntime.capi.onnxruntime_pybind11_state
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")
    return tuple(getattr(binding, name) for name in names)


_LOADING_ERRORS = _loading_errors()
COMPUTING_ERRORS = (
    *_LOADING_ERRORS,
    onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException,
    ValueError,
    IndexError,
)
"""What a graph that loads may raise when it is run; the last two: its outputs are not those of its task."""
