"""Repository, application, executables, object stores, registries and `rendered/`, changed by hand. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.desired import Desired, DesiredDataset, Onboarding
from reconciler.drift_model import DriftKind, Finding, Seen, Shelf
from reconciler.find import find_artifacts
from reconciler.live import Application, Executable, Live
from reconciler.onboarding import same_url, shown_differences
from reconciler.plan_model import counted


def place_findings(desired: Desired, live: Live, seen: Seen) -> Iterator[Finding]:
    """Everything that is not a configuration, a run or a server."""
    onboarding = [*_repository(desired.onboarding, live)]
    onboarding += _application(desired.onboarding, live, moved=bool(onboarding))
    yield from onboarding
    yield from _resource_group(desired.onboarding, live)
    yield from _object_stores(desired.onboarding, live)
    if not onboarding:  # what follows from an application that was led elsewhere is no second finding
        yield from _revision(desired.onboarding, live, seen)
        yield from _executables(desired, seen)
    for dataset in desired.datasets:
        yield from _dataset(dataset, live, seen.shelves.get(dataset.address))
    yield from _images(seen)
    yield from _rendered(desired, seen)


def _repository(want: Onboarding, live: Live) -> Iterator[Finding]:
    for repository in live.repositories:
        if repository.name == want.repository and repository.url != want.repository_url:
            yield Finding(
                f"repository/{want.repository}",
                "url",
                DriftKind.REPOSITORY_CHANGED,
                repository.url,
                want.repository_url,
                "Remove it in AI Core and apply, or set git.url of the environment to it.",
            )


def own_application(want: Onboarding, live: Live) -> Application | None:
    """The application of that name, wherever it leads now; AI Core may put the tenant's id in front of it."""
    exact = [a for a in live.applications if a.name == want.application]
    ours = [
        a
        for a in live.applications
        if a.name.endswith(f"-{want.application}") and same_url(a.repository_url, want.repository_url)
    ]
    return exact[0] if exact else ours[0] if len(ours) == 1 else None


def _application(want: Onboarding, live: Live, *, moved: bool) -> Iterator[Finding]:
    found = own_application(want, live)
    if found is None:
        return
    sides = [
        ("path", found.path.strip("/"), want.path.strip("/")),
        ("revision", found.revision, want.branch),
    ]
    if found.repository_url and not moved and not same_url(found.repository_url, want.repository_url):
        sides.append(("repositoryUrl", found.repository_url, want.repository_url))
    for path, is_now, should in sides:
        if is_now != should:
            yield Finding(
                f"application/{want.application}",
                path,
                DriftKind.APPLICATION_CHANGED,
                is_now,
                should,
                "corespec apply sets it back; to keep it, change `git` of the environment.",
            )


def _resource_group(want: Onboarding, live: Live) -> Iterator[Finding]:
    for key, value in want.group_labels.items():
        if want.resource_group in live.resource_groups and live.group_labels.get(key) != value:
            yield Finding(
                f"resource-group/{want.resource_group}",
                f"labels.{key}",
                DriftKind.RESOURCE_GROUP_CHANGED,
                live.group_labels.get(key, "(none)"),
                value,
                _APPLY,
            )


def _object_stores(want: Onboarding, live: Live) -> Iterator[Finding]:
    for name, fields in want.object_store_secrets.items():
        for field in shown_differences(fields, live.object_store_secrets.get(name, {})):
            yield Finding(
                f"object-store-secret/{name}",
                field.path,
                DriftKind.OBJECT_STORE_CHANGED,
                field.before or "(none)",
                field.after or "(none)",
                _APPLY,
            )


_APPLY = "corespec apply sets it back; to keep it, change the environment."


def _revision(want: Onboarding, live: Live, seen: Seen) -> Iterator[Finding]:
    status = live.application_status
    if status is not None and not seen.on_branch:
        yield Finding(
            f"application/{want.application}",
            "syncedRevision",
            DriftKind.REVISION_FOREIGN,
            f"AI Core has synced {status.revision[:10]}",
            f"a commit of {want.branch}: its history was rewritten, or AI Core followed another branch",
            "Let AI Core sync again: corespec apply, or refresh the application.",
        )


def _executables(desired: Desired, seen: Seen) -> Iterator[Finding]:
    known = {(one.scenario, one.id): one for one in seen.executables}
    remedy = (
        "Another application may bring an executable of the same name: remove it there, then refresh ours."
    )
    for template in desired.templates:
        document = seen.synced.get(template.executable)
        if document is None:
            continue
        one = known.get((template.scenario, template.executable))
        if one is None:
            yield Finding(
                template.address,
                "executable",
                DriftKind.EXECUTABLE_CHANGED,
                f"scenario {template.scenario} in AI Core offers no {template.executable}",
                "the executable of the template that it says it has synced",
                remedy,
            )
            continue
        is_now, should = _interface(one), _declared(document)
        for path in sorted({*is_now, *should}):
            if is_now.get(path) != should.get(path):
                yield Finding(
                    template.address,
                    path,
                    DriftKind.EXECUTABLE_CHANGED,
                    is_now.get(path, "(none)"),
                    should.get(path, "(none)"),
                    remedy,
                )


def _interface(one: Executable) -> dict[str, str]:
    parameters = {f"parameters.{name}": default for name, default in one.parameters.items()}
    return {"version": one.version, "title": one.title, **parameters}


def _declared(document: Mapping[str, Any]) -> dict[str, str]:
    """The same of a template, WorkflowTemplate or ServingTemplate."""
    metadata, spec = document.get("metadata") or {}, document.get("spec") or {}
    side = spec.get("inputs") if document.get("kind") == "ServingTemplate" else spec.get("arguments")
    parameters = {
        f"parameters.{item['name']}": str(item.get("default") or "")
        for item in (side or {}).get("parameters") or ()
    }
    return {
        "version": str((metadata.get("labels") or {}).get("ai.sap.com/version") or ""),
        "title": str((metadata.get("annotations") or {}).get("executables.ai.sap.com/name") or ""),
        **parameters,
    }


def _dataset(dataset: DesiredDataset, live: Live, shelf: Shelf | None) -> Iterator[Finding]:
    """Only what was uploaded whole once: its marker says so, or the artifact, which comes after it."""
    complete = f"{dataset.store}/{dataset.prefix}" in live.complete_uploads
    if shelf is None or not (complete or find_artifacts(dataset, live.artifacts)):
        return

    again = _SEND_AGAIN if complete else "The next apply sends what differs."

    def finding(path: str, kind: DriftKind, found: str, wanted: str, remedy: str = again) -> Finding:
        return Finding(dataset.address, path, kind, found, wanted, remedy)

    if not shelf.found:
        size = f"{counted(len(shelf.wanted), 'file')}, {counted(dataset.bytes, 'byte')}"
        yield finding("files", DriftKind.DATASET_MISSING, f"nothing lies at {dataset.url}", size)
        return
    if not complete:
        yield finding(
            "marker",
            DriftKind.DATASET_MISSING,
            f"{dataset.prefix}.manifest.json is gone or cannot be read",
            "the mark of a whole upload",
            "corespec apply verifies every file and writes it again.",
        )
    for path in sorted({*shelf.found, *shelf.wanted}):
        is_now, should = shelf.found.get(path), shelf.wanted.get(path)
        if is_now == should:
            continue
        if is_now is None:
            yield finding(f"files/{path}", DriftKind.DATASET_MISSING, "not there", _bytes(should))
        elif should is None:
            yield finding(f"files/{path}", DriftKind.DATASET_EXTRA, _bytes(is_now), "not there", _REMOVE)
        else:
            yield finding(f"files/{path}", DriftKind.DATASET_CHANGED, _bytes(is_now), _bytes(should))


_SEND_AGAIN = (
    "Remove the dataset's .manifest.json beside its folder in the store; the next apply sends what differs."
)
_REMOVE = "Remove it from the store: a training reads every file of the folder."


def _bytes(number: int | None) -> str:
    return counted(number or 0, "byte")


def _images(seen: Seen) -> Iterator[Finding]:
    for image in seen.images:
        if image.found is None:
            yield Finding(
                f"image/{image.reference}",
                "digest",
                DriftKind.IMAGE_MISSING,
                "its registry has no such tag",
                image.locked,
                "Push it again: corespec image push.",
            )
        elif image.found != image.locked:
            yield Finding(
                f"image/{image.reference}",
                "digest",
                DriftKind.IMAGE_MOVED,
                image.found,
                image.locked,
                "Runs use the locked digest. To accept the new one: corespec image lock, then render.",
            )


def _rendered(desired: Desired, seen: Seen) -> Iterator[Finding]:
    folder = f"rendered/{desired.environment}/"
    synced_folder = f"{desired.onboarding.path.strip('/')}/"
    for path in sorted({*seen.rendered, *seen.published}):
        is_now, should = seen.published.get(path), seen.rendered.get(path)
        if is_now == should or path in seen.explained:
            continue
        if should is None and not path.startswith(synced_folder):
            continue  # what people put beside rendered files stays, and AI Core does not read it
        yield Finding(
            f"rendered/{desired.environment}",
            path.removeprefix(folder),
            DriftKind.RENDERED_EDITED,
            _held(is_now),
            "not there: no spec renders it" if should is None else "what the specs of that commit render",
            "corespec render, then corespec publish; a change belongs into the specs or the catalogue.",
        )


def _held(content: bytes | None) -> str:
    return "not on the branch" if content is None else f"other content on the branch ({len(content)} bytes)"
