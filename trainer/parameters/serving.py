"""The parameters of ``model-serving``: names and defaults of the CV package, and eight of our own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trainer.parameters.batch import IOU_THRESHOLD, SCORE_THRESHOLD
from trainer.parameters.scheme import Parameter, number
from trainer.parameters.table import ParameterTable, Parsed

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_LONGEST = 3600.0


def duration(text: str) -> float:
    """Seconds of a text such as 1m, 30s or 500ms; a bare number is seconds."""
    match = re.fullmatch(r"([0-9.]+)\s*(ms|s|m|h|)", text.strip().lower())
    if match is None:
        raise ValueError("expected a duration such as 30s or 1m")
    seconds = number(match[1]) * _UNITS[match[2]]
    if not 0 < seconds <= _LONGEST:
        raise ValueError("must be above 0 and at most 1h")
    return seconds


@dataclass(frozen=True, slots=True)
class ServingParameters(Parsed):
    """Every parameter, typed; the fields are the rows of ``TABLE``, in the same order."""

    models: str
    cpuaffinity: bool
    requesttimeout: float
    loglevel: int
    gpu_deployment: bool
    iou_threshold: float
    score_threshold: float
    maximum_request_megabytes: float
    maximum_pictures: int
    maximum_megapixels: float
    maximum_requests: int
    maximum_batch: int
    batch_milliseconds: float
    reload_seconds: float


TABLE: ParameterTable[ServingParameters] = ParameterTable(
    workflow="model-serving",
    rows=(
        Parameter(
            "models",
            "string",
            "/mnt/models/[model]",
            "Model folders, colon separated, each with its label: path[label]:path2[label2].",
        ),
        Parameter("cpuaffinity", "boolean", "False", "Bind every computing thread to a core of its own."),
        Parameter(
            "requesttimeout",
            "string",
            "1m",
            "Time after which a request is answered with an error, such as 30s or 1m.",
            read=duration,
        ),
        Parameter(
            "loglevel",
            "integer",
            "3",
            "How much is logged: 0 critical, 1 errors, 2 warnings, 3 requests too, 4 everything.",
            0,
            4,
        ),
        Parameter(
            "gpu_deployment",
            "boolean",
            "True",
            "Compute on a GPU where ONNX Runtime finds one, else on the CPU.",
        ),
        IOU_THRESHOLD,
        SCORE_THRESHOLD,
        Parameter(
            "maximum_request_megabytes",
            "number",
            "64",
            "Megabytes a request may have.",
            0.001,
            4096,
            origin="corespec",
        ),
        Parameter(
            "maximum_pictures", "integer", "64", "Pictures a request may hold.", 1, 4096, origin="corespec"
        ),
        Parameter(
            "maximum_megapixels",
            "number",
            "64",
            "Million pixels a picture may have.",
            0.001,
            1000,
            origin="corespec",
        ),
        Parameter(
            "maximum_requests",
            "integer",
            "256",
            "Requests under way or waiting; one more is refused with 503.",
            1,
            100_000,
            origin="corespec",
        ),
        Parameter(
            "maximum_batch",
            "integer",
            "8",
            "Pictures of concurrent requests that are computed at once.",
            1,
            256,
            origin="corespec",
        ),
        Parameter(
            "batch_milliseconds",
            "number",
            "2",
            "Milliseconds a picture waits at most for others that are being decoded; 0 never.",
            0,
            1000,
            origin="corespec",
        ),
        Parameter(
            "reload_seconds",
            "number",
            "5",
            "Seconds between looks for a changed model; 0 looks on SIGHUP only.",
            0,
            3600,
            origin="corespec",
        ),
    ),
    build=ServingParameters,
)
