"""Admin objects of the tenant: what is to be created, and what is brought in line. Pure.

What AI Core shows is compared field by field. What it never shows (passwords, keys) is compared by the mark
of the last write (`reconciler.marks`); `Live.held` says what the marks say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.desired import Onboarding
from reconciler.live import Application, Live, Written
from reconciler.plan_model import Action, Category, Change, FieldChange, Problem

__all__ = [
    "find_application",
    "follows",
    "foreign",
    "not_compared",
    "onboarding",
    "same_url",
    "shown_differences",
]

_CHANGED = "secret values changed (hash differs)"
_UNKNOWN = "nobody knows whether AI Core holds these secret values: they are written once more"


def find_application(want: Onboarding, applications: Iterable[Application]) -> Application | None:
    """The application of that name. AI Core may put the tenant's id in front: path and branch decide then."""
    exact = [a for a in applications if a.name == want.application]
    prefixed = [a for a in applications if a.name.endswith(f"-{want.application}") and follows(want, a)]
    return next(iter([*exact, *prefixed]), None)


def follows(want: Onboarding, application: Application) -> bool:
    """Whether it follows the wanted path and branch."""
    return (application.path.strip("/"), application.revision) == (want.path.strip("/"), want.branch)


def same_url(one: str, other: str) -> bool:
    """Whether AI Core takes both for one repository."""
    return _plain(one) == _plain(other)


def _plain(url: str) -> str:
    return url.rstrip("/").removesuffix(".git")


def foreign(want: Onboarding, live: Live) -> Iterator[Problem]:
    """What cannot be brought in line: AI Core changes no URL of a repository."""
    for repository in live.repositories:
        if repository.name == want.repository and repository.url != want.repository_url:
            yield Problem(
                f"repository/{want.repository}",
                "conflict",
                f"repository {want.repository} exists in AI Core with the URL {repository.url}",
                f"Choose another git.repository, or set git.url ({want.repository_url}) to it.",
            )


def not_compared(live: Live) -> Iterator[Problem]:
    """Warnings for values that this machine does not have: neither changed nor unchanged."""
    for address, held in live.held.items():
        if held.written is Written.UNREADABLE:
            yield Problem(
                address,
                "not-compared",
                f"{held.message}; whether AI Core holds this value is not known here",
                "Nothing is written. Where the value is set, plan and apply compare it.",
            )


def onboarding(want: Onboarding, live: Live) -> Iterator[Change]:
    """Creations and updates, in the order in which they depend on each other."""
    yield from _resource_group(want, live)
    for name, fields in want.object_store_secrets.items():
        here = live.object_store_secrets
        differing = shown_differences(fields, here[name]) if name in here else ()
        yield from _valued("object-store-secret", name, want, live, name in here, differing)
    if want.docker_secret:
        known = want.docker_secret in live.docker_secrets
        yield from _valued("docker-secret", want.docker_secret, want, live, known)
    for name in want.secrets:
        yield from _valued("secret", name, want, live, name in live.secrets)
    yield from _repository(want, live)
    yield from _application(want, live)


def _create(kind: str, name: str, reason: str, want: Onboarding) -> Change:
    return Change(f"{kind}/{name}", Action.CREATE, Category.ONBOARD, reason, name, subject=want)


def _update(
    kind: str, name: str, reason: str, want: Onboarding, fields: tuple[FieldChange, ...] = ()
) -> Change:
    return Change(f"{kind}/{name}", Action.UPDATE, Category.ONBOARD, reason, name, fields, subject=want)


def _resource_group(want: Onboarding, live: Live) -> Iterator[Change]:
    name = want.resource_group
    if name not in live.resource_groups:
        yield _create("resource-group", name, "the resource group is absent", want)
        return
    fields = _differences("labels.", want.group_labels, live.group_labels)
    if fields:
        yield _update("resource-group", name, "differs from the environment", want, fields)


def shown_differences(want: Mapping[str, str], shown: Mapping[str, str]) -> tuple[FieldChange, ...]:
    """What differs of that which AI Core shows of an object store secret; nothing where it shows nothing.

    Flags that it leaves out are its own defaults.
    """
    if not shown:
        return ()
    wanted = {key: value for key, value in want.items() if key in shown or not key.endswith(_FLAGS)}
    return _differences("", wanted, shown)


_FLAGS = ("usehttps", "verifyssl")


def _differences(prefix: str, want: Mapping[str, str], live: Mapping[str, str]) -> tuple[FieldChange, ...]:
    """Only what is wanted: what others have added stays."""
    return tuple(
        FieldChange(prefix + key, live.get(key), value)
        for key, value in sorted(want.items())
        if (live.get(key) or "") != value
    )


def _valued(
    kind: str,
    name: str,
    want: Onboarding,
    live: Live,
    exists: bool,
    fields: tuple[FieldChange, ...] = (),
) -> Iterator[Change]:
    """An object with write-only values."""
    if not exists:
        yield _create(kind, name, f"AI Core has no {kind.replace('-', ' ')} of that name", want)
        return
    held = live.held.get(f"{kind}/{name}")
    why = ["differs from the environment"] if fields else []
    if held and held.written in {Written.CHANGED, Written.UNKNOWN}:
        why.append(_CHANGED if held.written is Written.CHANGED else _UNKNOWN)
    if why:
        yield _update(kind, name, "; ".join(why), want, fields)


def _repository(want: Onboarding, live: Live) -> Iterator[Change]:
    ours = [repository for repository in live.repositories if repository.name == want.repository]
    if not ours:
        yield _create("repository", want.repository, f"AI Core does not know {want.repository_url}", want)
    elif ours[0].url == want.repository_url and want.git_credentials:
        yield from _valued("repository", want.repository, want, live, True)


def _application(want: Onboarding, live: Live) -> Iterator[Change]:
    ours = find_application(want, live.applications)
    if ours is None:
        reason = f"AI Core does not follow {want.path} at {want.branch}"
        yield _create("application", want.application, reason, want)
        return
    fields = _moved(want, ours)
    if fields:
        yield _update("application", want.application, "differs from the environment", want, fields)


def _moved(want: Onboarding, ours: Application) -> tuple[FieldChange, ...]:
    """A name with a prefix may be that of another application, which then is left as it is."""
    if ours.name != want.application:
        return ()
    sides = [
        ("path", ours.path.strip("/"), want.path.strip("/")),
        ("revision", ours.revision, want.branch),
    ]
    if ours.repository_url and not same_url(ours.repository_url, want.repository_url):
        sides.append(("repositoryUrl", ours.repository_url, want.repository_url))
    return tuple(FieldChange(path, before, after) for path, before, after in sides if before != after)
