"""Charts of a report as images that a page holds in itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from trainer.detection.outcomes import Bin

matplotlib.use("Agg")

#: More curves than this cannot be told apart.
NAMED_CURVES = 12

Floats = npt.NDArray[np.float64]


def picture_uri(path: Path) -> str:
    """A PNG file as the address of an image."""
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def precision_recall_chart(curves: Sequence[tuple[str, Floats, Floats]]) -> str:
    """Curves (name, recall, precision), the first one bold: all classes together."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, recall, precision) in enumerate(curves):
        first = place == 0
        label = name if place <= NAMED_CURVES else None
        axes.step(
            recall, precision, where="post", label=label,
            linewidth=2.4 if first else 1.0, color="black" if first else None, zorder=3 if first else 2,
        )  # fmt: skip
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="lower left")
    return _svg(figure)


def reliability_chart(bins: Sequence[Bin], what: str) -> str:
    """The share of hits against the mean score of each bin; the diagonal is honesty."""
    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot((0, 1), (0, 1), color="grey", linewidth=1, linestyle="--")
    most = max((item.count for item in bins), default=1)
    axes.scatter(
        [item.score for item in bins],
        [item.precision for item in bins],
        s=[20 + 180 * item.count / most for item in bins],
        zorder=3,
    )
    axes.plot([item.score for item in bins], [item.precision for item in bins], linewidth=1)
    axes.set(xlabel="score", ylabel=what, xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    """The figure as the address of an image; the same figure gives the same text."""
    content = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "corespec", "svg.fonttype": "path"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(content.getvalue()).decode()}"
