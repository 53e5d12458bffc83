"""Drift against a real local AI Core and real Git: nothing after an apply, and each deed is found."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from ai_core_sdk.ai_core_v2_client import AICoreV2Client

from corespec.__main__ import main
from generator.images.engine import Auth
from reconciler.clock import SystemClock
from reconciler.connection import connect, connect_readonly, credentials
from reconciler.drift_model import Drift, DriftKind
from reconciler.errors import InputRejectedError
from reconciler.exitcode import ExitCode
from tests.reconciler.project import CATALOG, LAUNCH_ONLY, QUICK, Project
from tests.reconciler.proxy import Proxy


def _git(project: Project, *words: str) -> None:
    subprocess.run(["git", *words], cwd=project.clone, check=True, capture_output=True)


def _kinds(found: Drift) -> list[tuple[DriftKind, str]]:
    return [(one.kind, one.path) for one in found.findings]


def _template(project: Project) -> Path:
    return project.clone / "rendered" / "local" / "templates" / f"{project.name}-x.yaml"


def test_from_an_apply_to_deeds_of_others(project: Project, proxy: Proxy) -> None:
    """A stray run, a changed file, an edited template: each found, nothing else, nothing written."""
    assert project.session().drift().findings == ()
    project.session().apply(QUICK)
    writes = list(proxy.writes)
    clean = project.session().drift()
    assert clean.findings == ()
    assert clean.exit_code is ExitCode.CONVERGED
    assert clean.commit == project.heads()["main"]
    assert proxy.writes == writes

    bench = project.session().bench()
    aicore = connect(bench.environment, project.clone, SystemClock())
    (first,) = aicore.executions(project.name)
    stray = aicore.create_execution(aicore.configurations(project.name)[0].id)
    data = bench.desired.datasets[0]
    store = project.data / "objects" / "default" / data.prefix
    (store / "word.txt").write_text("another word\n")
    _template(project).write_text(_template(project).read_text().replace("Stub", "Mine"))
    _git(project, "commit", "--quiet", "--all", "--message", "By hand")
    _git(project, "push", "--quiet", "origin", "main")
    found = dict(_kinds(project.session().drift()))
    # Both runs may be of the same second, by which alone AI Core tells the older one.
    assert found.pop(DriftKind.EXECUTION_STRAY) in {stray, first.id}
    assert found == {
        DriftKind.DATASET_CHANGED: "files/word.txt",
        DriftKind.RENDERED_EDITED: f"templates/{project.name}-x.yaml",
    }


def test_what_a_commit_explains_is_no_drift(project: Project) -> None:
    """A lowered `want`, specs that nobody has rendered since, specs that nobody has committed."""
    project.edit("retries: 1", "retries: 1, want: 2")
    project.session().apply(QUICK)
    project.edit("want: 2", "want: 1")
    assert project.session().drift().findings == ()
    project.edit("title: Stub", "title: Other")
    assert project.session().drift().findings == ()
    project.spec.write_text(project.spec.read_text().replace("rate: 0.5", "rate: 0.7"))
    assert project.session().drift().findings == ()


def test_a_run_that_is_stopped_by_hand(project: Project) -> None:
    """Found while nothing has taken its place; one that was quicker than the hand has completed."""
    project.session().apply(LAUNCH_ONLY)
    bench = project.session().bench()
    aicore = connect(bench.environment, project.clone, SystemClock())
    (run,) = aicore.executions(project.name)
    for _ in project.session().watch([run.id], 2.0):
        if aicore.execution(run.id).status == "RUNNING":
            aicore.stop_execution(run.id)
            break
    found = project.session().drift()
    ended = aicore.execution(run.id).status
    assert _kinds(found) == ([] if ended == "COMPLETED" else [(DriftKind.EXECUTION_STOPPED, run.id)])


def test_a_run_that_is_deleted_by_hand(project: Project) -> None:
    """Its artifact stays registered and tells of it."""
    project.session().apply(QUICK)
    environment = project.session().bench().environment
    found = credentials(environment, project.clone)
    (run,) = connect_readonly(environment, project.clone).executions(project.name)
    client = AICoreV2Client(base_url=found.base_url, resource_group="default", **found.arguments)
    client.execution.delete(run.id)
    assert _kinds(project.session().drift()) == [(DriftKind.EXECUTION_DELETED, run.id)]


class Registry:
    """An engine whose registry has another image behind every tag."""

    def inspect_distribution(self, image: str, auth_config: Auth | None = None) -> dict[str, dict[str, str]]:
        del image, auth_config
        return {"Descriptor": {"digest": f"sha256:{'2' * 64}"}}


def test_a_tag_that_moved_off_its_lock(project: Project) -> None:
    """Only tags that the commit has locked can have moved."""
    engine: object = Registry()
    assert project.session().drift(engine).findings == ()  # type: ignore[arg-type]
    lock = "apiVersion: corespec/v1\nkind: ImageLock\nimages:\n  docker.io/acme/stub:1: sha256:"
    (project.clone / "images.lock.yaml").write_text(f"{lock}{'1' * 64}\n")
    _git(project, "add", "images.lock.yaml")
    _git(project, "commit", "--quiet", "--message", "Lock")
    _git(project, "push", "--quiet", "origin", "main")
    project.publish()
    found = project.session().drift(engine)  # type: ignore[arg-type]
    assert _kinds(found) == [(DriftKind.IMAGE_MOVED, "digest")]
    assert found.images_asked


def test_a_branch_that_nobody_pushed_says_nothing(project: Project) -> None:
    """Exit code 2 and what to do."""
    place = project.clone / "specs" / "environments" / "local.yaml"
    place.write_text(place.read_text().replace("publish: direct", "publish: direct, branch: other"))
    with pytest.raises(InputRejectedError, match="There is no branch other"):
        project.session().drift()


def test_the_verb_says_it_all_and_ends_with_3(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """0 without, 3 with, 0 again when it is borne; an entry that has expired is exit code 2."""
    words = ["drift", "-C", str(project.clone), "--catalog", str(CATALOG)]
    assert main(words) == 0
    assert ": no differences. Registries were not asked (--images)." in capsys.readouterr().out
    mine = project.clone / "rendered" / "local" / "templates" / "mine.yaml"
    mine.write_text("kind: WorkflowTemplate\n")
    _git(project, "add", "rendered")
    _git(project, "commit", "--quiet", "--message", "By hand")
    _git(project, "push", "--quiet", "origin", "main")
    assert main([*words, "-o", "json"]) == 3
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert (found["address"], found["path"]) == ("rendered/local", "templates/mine.yaml")
    ignore = project.clone / "drift-ignore.yaml"
    entry = "{address: rendered/local, path: templates/mine.yaml, reason: a trial, expiry: EXPIRY}"
    text = f"apiVersion: corespec/v1\nkind: DriftIgnore\nignore: [{entry}]\n"
    ignore.write_text(text.replace("EXPIRY", "2999-12-31"))
    assert main([*words, "-o", "md"]) == 0
    assert "ignored until 2999-12-31" in capsys.readouterr().out
    ignore.write_text(text.replace("EXPIRY", "2020-12-31"))
    assert main(words) == 2
    assert "drift-ignore.yaml:3:" in capsys.readouterr().err
