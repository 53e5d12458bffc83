"""Names that others have chosen, made safe to be joined to a folder of ours."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - a reason on its way to one DatasetError
    """Why a name, or what it belongs to, cannot be used."""


def safe_parts(name: str) -> tuple[str, ...]:
    """The path of a member of an archive or bucket; () is the folder itself. Raises Refused."""
    if "\\" in name or "\0" in name:
        raise Refused(f"{name!r} is no portable name")
    if name.startswith("/") or (len(name) > 1 and name[1] == ":" and name[0].isalpha()):
        raise Refused(f"{name!r} is an absolute path")
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if ".." in parts:
        raise Refused(f"{name!r} leads out of the folder")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise Refused(f"{name!r} is not valid UTF-8") from None
    return parts
