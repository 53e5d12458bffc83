"""The example of docs/review.md is what `corespec diff` says about the project of this repository.

`CORESPEC_REGENERATE=1` writes it anew; read the difference then.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from generator.catalog import Workflow
from generator.diff import diff_templates
from generator.diff.report_markdown import diff_markdown
from generator.project import load_project
from generator.render import render
from generator.spec.resolve import resolve

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "review.md"
BEGIN, END = "<!-- example -->\n", "<!-- end of example -->\n"
EDITS = (
    ("digit-detection:0.0.1", "digit-detection:0.0.2"),
    ("title: Digit detection", "title: Digits of a meter"),
)


def test_the_example_is_real(tmp_path: Path, catalog: Mapping[str, Workflow]) -> None:
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    before = render(resolve(load_project(tmp_path, catalog), "local", catalog))
    spec = tmp_path / "specs/meter-reading.yaml"
    text = spec.read_text(encoding="utf-8")
    for old, new in EDITS:
        assert old in text
        text = text.replace(old, new)
    spec.write_text(text, encoding="utf-8")
    after = render(resolve(load_project(tmp_path, catalog), "local", catalog))
    told = diff_markdown(diff_templates(before, after))
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    if os.environ.get("CORESPEC_REGENERATE") and "CI" not in os.environ:
        tail = rest.partition(END)[2]
        PAGE.write_text(f"{head}{BEGIN}{told}{END}{tail}", encoding="utf-8")
        rest = f"{told}{END}{tail}"
    assert rest.partition(END)[0] == told
