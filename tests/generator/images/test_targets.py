"""Which images are built, pushed and locked, and what their labels say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.catalog import Workflow
from generator.images.targets import (
    SPEC_DIGEST,
    TargetError,
    labels,
    lockable,
    revision_of,
    source_of,
    spec_digest,
    targets,
)
from generator.project import load_project
from generator.repository import GitRepository
from generator.spec.resolve import Resolved, resolve

Make = Callable[..., Resolved]
PINNED = f"docker.io/acme/pinned@sha256:{'a' * 64}"


def _executable(workflow: str, image: str, **more: Any) -> dict[str, Any]:
    return {"workflow": workflow, "image": image, "resourcePlan": "starter", **more}


@pytest.fixture
def make(tmp_path: Path, catalog: Mapping[str, Workflow]) -> Make:
    """Resolve a project of the executables that are given."""

    def run(**executables: dict[str, Any]) -> Resolved:
        (tmp_path / "specs" / "environments").mkdir(parents=True, exist_ok=True)
        head = {"apiVersion": "corespec/v1"}
        named = {name.replace("_", "-"): fields for name, fields in executables.items()}
        scenario = {**head, "kind": "Scenario", "metadata": {"name": "digits"}, "executables": named}
        environment = {
            **head,
            "kind": "Environment",
            "metadata": {"name": "local"},
            "aiCore": {"connection": "local"},
            "objectStores": {"default": {"type": "directory", "path": "o"}},
            "docker": {"registry": "docker.io/acme", "secret": "acme"},
            "git": {"url": "../x.git", "repository": "digits", "application": "digits"},
        }
        (tmp_path / "specs" / "digits.yaml").write_text(yaml.safe_dump(scenario))
        (tmp_path / "specs" / "environments" / "local.yaml").write_text(yaml.safe_dump(environment))
        return resolve(load_project(tmp_path, catalog), "local", catalog)

    return run


def test_every_executable_that_is_built_here_has_a_target(make: Make) -> None:
    """With its recipe; one that its spec pins by a digest is built elsewhere and left out."""
    resolved = make(
        reader=_executable("object-detection-train", "reader:1"),
        foreign=_executable("object-detection-train", PINNED),
    )
    (target,) = targets(resolved)
    assert (target.reference, target.executables) == ("docker.io/acme/reader:1", ("reader",))
    assert sorted(target.recipe) == [
        "rendered/local/images/reader/Dockerfile",
        "rendered/local/images/reader/requirements.txt",
    ]
    assert lockable(resolved) == ["docker.io/acme/reader:1"]


def test_naming_executables_narrows_the_work(make: Make) -> None:
    """Naming one twice builds it once."""
    resolved = make(
        reader=_executable("object-detection-train", "reader:1"),
        sorter=_executable("image-classification-train", "sorter:1"),
    )
    assert [item.reference for item in targets(resolved, ["sorter", "sorter"])] == ["docker.io/acme/sorter:1"]
    assert lockable(resolved, ["sorter"]) == ["docker.io/acme/sorter:1"]


def test_an_unknown_executable_is_met_with_the_nearest(make: Make) -> None:
    """A slip of the hand is corrected in the same line."""
    resolved = make(reader=_executable("object-detection-train", "reader:1"))
    with pytest.raises(TargetError, match="did you mean `reader`"):
        targets(resolved, ["raeder"])


def test_naming_one_that_cannot_be_built_is_an_error(make: Make) -> None:
    """It was asked for, so leaving it out silently would be a lie."""
    resolved = make(foreign=_executable("object-detection-train", PINNED))
    with pytest.raises(TargetError, match=r"pins a digest(.|\n)*host/name:tag"):
        targets(resolved, ["foreign"])


def test_executables_may_share_an_image(make: Make) -> None:
    """It is built once, for all of them."""
    resolved = make(
        reader=_executable("object-detection-train", "vision:1"),
        sorter=_executable("image-classification-train", "vision:1"),
    )
    (target,) = targets(resolved)
    assert target.executables == ("reader", "sorter")


def test_sharing_a_tag_with_other_packages_is_refused(make: Make) -> None:
    """The second build would take the first one's packages away."""
    resolved = make(
        reader=_executable("object-detection-train", "vision:1"),
        server=_executable("object-detection-train", "vision:1", gpu=True),
    )
    with pytest.raises(TargetError, match=r"reader and server share docker\.io/acme/vision:1"):
        targets(resolved)


def test_labels_say_what_it_is_and_where_from(make: Make) -> None:
    """OCI's own names, and the digest of the spec; what is not known is left out."""
    (target,) = targets(make(reader=_executable("object-detection-train", "reader:1")))
    assert labels(target.executable, "c0ffee-dirty", "https://git.example/acme/digits") == {
        "org.opencontainers.image.title": "reader",
        "org.opencontainers.image.version": "0.0.1",
        "org.opencontainers.image.revision": "c0ffee-dirty",
        "org.opencontainers.image.source": "https://git.example/acme/digits",
        SPEC_DIGEST: spec_digest(target.executable),
    }
    assert "org.opencontainers.image.revision" not in labels(target.executable, None, None)


def test_the_spec_digest_follows_the_spec(make: Make) -> None:
    """Same spec, same digest; another size of machine is another spec."""
    one, same, other = (
        targets(make(reader=_executable("object-detection-train", "reader:1", title=title)))[0].executable
        for title in ("A", "A", "B")
    )
    assert spec_digest(one) == spec_digest(same) != spec_digest(other)


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://user:token@git.example/acme/digits.git?x=1", "https://git.example/acme/digits"),
        ("http://127.0.0.1:8080/acme/digits", "http://127.0.0.1:8080/acme/digits"),
        ("git@git.example:acme/digits.git", None),
        ("/srv/digits.git", None),
        (None, None),
    ],
)
def test_a_label_never_holds_what_opens_a_repository(url: str | None, source: str | None) -> None:
    """Tokens are often kept in the remote's URL; a path of this machine says nothing to others."""
    assert source_of(url) == source


def test_the_revision_says_when_the_tree_was_dirty(clone: Path) -> None:
    """A build from uncommitted specs cannot be taken for that of the commit."""
    repository = GitRepository.open(clone)
    assert revision_of(repository) == repository.head()
    (clone / "specs" / "more.yaml").write_text("x")
    assert revision_of(repository) == f"{repository.head()}-dirty"
    assert revision_of(None) is None


def test_a_repository_without_a_commit_has_no_revision(git: Callable[..., str], tmp_path: Path) -> None:
    """The first build may come before the first commit."""
    git(tmp_path, "init", "--quiet")
    assert revision_of(GitRepository.open(tmp_path)) is None
