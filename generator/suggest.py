"""Did-you-mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, choices: Iterable[str], *, shown: int = 6) -> str:
    """A sentence that leads from a wrong word to a right one: the nearest choice, else the choices."""
    known = sorted(set(choices))
    folded = {choice.casefold().replace("-", "_"): choice for choice in known}
    near = difflib.get_close_matches(word.casefold().replace("-", "_"), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{folded[near[0]]}`?"
    if not known:
        return "there is none to choose from"
    rest = f" and {len(known) - shown} more" if len(known) > shown else ""
    return "known: " + ", ".join(f"`{choice}`" for choice in known[:shown]) + rest
