"""What `drift` has found, for people (text, Markdown) and machines (JSON)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from reconciler.drift_model import Drift, Finding
from reconciler.plan_model import counted
from reconciler.report.markdown import LIMIT, escape

__all__ = ["drift_markdown", "drift_text"]

#: Findings of one kind at one address that a terminal shows; JSON holds all.
SHOWN = 20


def drift_text(drift: Drift) -> str:
    """For a terminal: what is, what should be, what to do; the count last."""
    return "\n".join([*_lines(drift), summary(drift)]) + "\n"


def _lines(drift: Drift) -> Iterator[str]:
    for findings in grouped(drift.findings):
        for finding in findings[:SHOWN]:
            yield f"{finding.kind.value}: {finding.address} {finding.path}"
            yield f"      is: {finding.found}"
            yield f"  wanted: {finding.wanted}"
        if len(findings) > SHOWN:
            yield f"  … and {len(findings) - SHOWN} more of this kind there; -o json has all"
        yield f"          {findings[0].remedy}"
    for ignored in drift.ignored:
        found = ignored.finding
        what = f"{found.kind.value} {found.address} {found.path}"
        yield f"ignored until {ignored.expiry}: {what}: {ignored.reason}"
    for entry in drift.unused:
        yield f"warning: drift-ignore.yaml: nothing is found at {entry} any more; remove the entry"


def grouped(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Together what is of one kind at one address, with one remedy; the order stays."""
    ordered = sorted(findings, key=lambda f: (f.address, f.kind, f.remedy, f.path))
    return [list(group) for _, group in groupby(ordered, key=lambda f: (f.address, f.kind, f.remedy))]


def summary(drift: Drift) -> str:
    """The last line: how many, compared with which commit, and what was not looked at."""
    found = counted(len(drift.findings), "difference") if drift.findings else "no differences"
    aside = f", {len(drift.ignored)} ignored" if drift.ignored else ""
    images = "" if drift.images_asked else " Registries were not asked (--images)."
    return f"Drift of {drift.environment} from {drift.commit[:10]}: {found}{aside}.{images}"


def drift_markdown(drift: Drift, limit: int = LIMIT) -> str:
    """For an issue or a comment: at most `limit` bytes; what does not fit is counted."""
    lines = [f"### {escape(summary(drift))}", ""]
    room = limit - len("\n".join(lines).encode()) - _RESERVE
    body = [*_table(drift), *_ignored(drift)]
    kept: list[str] = []
    for line in body:
        room -= len(line.encode()) + 1
        if room < 0:
            kept += [
                "",
                f"**Truncated: {len(body) - len(kept)} lines more. Run `corespec drift` to see all.**",
            ]
            break
        kept.append(line)
    return "\n".join([*lines, *kept]).rstrip() + "\n"


#: Bytes kept free for the notice that something was cut.
_RESERVE = 200


def _table(drift: Drift) -> Iterator[str]:
    if drift.findings:
        yield "| kind | address | path | is | wanted | what to do |"
        yield "|---|---|---|---|---|---|"
    for f in drift.findings:
        words = (f.kind.value, f.address, f.path, f.found, f.wanted, f.remedy)
        yield f"| {' | '.join(map(escape, words))} |"
    if drift.findings:
        yield ""


def _ignored(drift: Drift) -> Iterator[str]:
    for item in drift.ignored:
        found = item.finding
        words = escape(f"{found.kind.value} {found.address} {found.path}: {item.reason}")
        yield f"- ignored until {item.expiry}: {words}"
    for entry in drift.unused:
        yield f"- warning: drift-ignore.yaml: nothing is found at {escape(entry)} any more"
