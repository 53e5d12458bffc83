"""Drift is what somebody did by hand: nothing after an apply, and for each deed exactly its own finding."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import InputError
from reconciler import drifting
from reconciler.aicore import AICore, AICoreWriter
from reconciler.commits import Specs
from reconciler.connection import connect_readonly
from reconciler.desired import Desired
from reconciler.drift import drift
from reconciler.drift_model import Drift, DriftKind, Finding, ImageState, Intent, Seen
from reconciler.errors import InputRejectedError, TransientError
from reconciler.exitcode import ExitCode
from reconciler.ignoring import IgnoreEntry, read_ignores, sort_out
from reconciler.live import Live
from reconciler.report.drift import drift_markdown, drift_text
from reconciler.report.json import drift_json
from reconciler.report.markdown import LIMIT
from reconciler.survey import survey
from tests.reconciler.builders import (
    EXECUTABLE,
    PATH,
    SCENARIO,
    FakeGit,
    World,
    configuration,
    desired,
    execution,
    template,
)
from tests.reconciler.fake import START, FakeAICore
from tests.reconciler.test_serving import served, serving

IMAGE = "docker.io/acme/digits:1"
ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
DOCUMENT: dict[str, Any] = {
    "kind": "WorkflowTemplate",
    "metadata": {
        "name": EXECUTABLE,
        "labels": {"ai.sap.com/version": "0.0.1"},
        "annotations": {"executables.ai.sap.com/name": "Digits"},
    },
    "spec": {
        "arguments": {"parameters": [{"name": "rate", "default": "0.1"}, {"name": "seed"}]},
        "templates": [{"name": "train", "container": {"image": IMAGE}}],
    },
}


class Server(FakeAICore):
    """AI Core that also tells which executables it offers."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: list[dict[str, Any]] = [
            {
                "id": EXECUTABLE,
                "scenarioId": SCENARIO,
                "name": "Digits",
                "versionId": "0.0.1",
                "parameters": [{"name": "rate", "default": "0.1"}, {"name": "seed"}],
            }
        ]

    def _read(self, path: str, params: Mapping[str, str]) -> Any:
        if path == f"/lm/scenarios/{SCENARIO}/executables":
            return {"count": len(self.offered), "resources": self.offered}
        return super()._read(path, params)


@dataclass
class Branch:
    """The branch as `survey` reads it; `foreign`: revisions that it does not hold."""

    git: FakeGit
    foreign: set[str] = field(default_factory=set)
    fetched: int = 0

    def read(self, revision: str, path: str) -> bytes | None:
        return self.git.read(revision, path)

    def published(self, path: str) -> bytes | None:
        return self.git.published(path)

    def history(self, path: str, limit: int) -> Iterable[str]:
        return self.git.history(path, limit)

    def files(self, revision: str, folder: str) -> dict[str, bytes]:
        found = self.git.files.items()
        return {path: text for (at, path), text in found if at == revision and path.startswith(f"{folder}/")}

    def fetch(self) -> None:
        self.fetched += 1

    def holds(self, revision: str) -> bool:
        return revision not in self.foreign


def _never_valid(_: str) -> Specs:
    raise InputError([])


class Lab:
    """A world at rest after an apply, whose runs have completed, and somebody's hands in it."""

    def __init__(self, root: Path, want: Desired | None = None, *, finished: bool = True) -> None:
        self.server = Server()
        self.world = World(root, want or wanted(), server=self.server)
        self.branch = Branch(self.world.git)
        self.images: tuple[ImageState, ...] = (ImageState(IMAGE, ONE, ONE),)
        self.past: dict[str, tuple[Intent, ...]] = {}
        self.world.apply()
        if finished:
            self.server.finish(outputs=["model"])

    @property
    def aicore(self) -> AICoreWriter:
        return self.world.aicore

    @property
    def folder(self) -> Path:
        """Where the dataset lies."""
        return self.world.root / "objects" / self.world.want.datasets[0].prefix

    def survey(self, live: Live) -> Seen:
        want, world = self.world.want, self.world
        seen = survey(
            AICore(self.server, self.server.clock),
            want,
            live,
            self.branch,
            commit=world.git.head,
            rendered={one.path: one.content for one in want.templates},
            manifests={f"{one.scenario}/{one.name}": world._manifest(one) for one in want.datasets},
            stores={"default": world.store},
            specs=_never_valid,
            images=self.images,
        )
        return replace(seen, intents={**seen.intents, **self.past})

    def drift(self) -> tuple[Finding, ...]:
        live = self.world.observe()
        return drift(self.world.want, live, self.survey(live))

    def run_again(self) -> None:
        self.aicore.create_execution(self.server.configurations[0]["id"])

    def stop_first(self) -> None:
        """Somebody stops the only run that there is."""
        self.server.executions[0].update(status="STOPPED", targetStatus="STOPPED")

    def delete_first(self) -> None:
        del self.server.executions[0]

    def rebind(self, key: str, value: str) -> None:
        """Another configuration of the wanted name, made by hand beside ours."""
        twin = {**self.server.configurations[0], "id": "twin"}
        twin["parameterBindings"] = [{"key": key, "value": value}]
        self.server.configurations.append(twin)

    def edit(self, path: str, content: bytes | None) -> None:
        """Somebody pushes a change of rendered/; AI Core has not synced it yet."""
        git = self.world.git
        before, git.head = git.head, "e" * 40
        git.log.insert(0, git.head)
        for (revision, known), text in list(git.files.items()):
            if revision == before:
                git.files[git.head, known] = text
        git.files.pop((git.head, path), None)
        if content is not None:
            git.files[git.head, path] = content

    def lead(self, key: str, value: str) -> None:
        self.server.applications["meter-app"][key] = value


def wanted() -> Desired:
    """One configuration, one run."""
    made = template(DOCUMENT)
    return desired([configuration(with_template=made)], templates=[made])


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_nothing_is_drift_after_an_apply(lab: Lab) -> None:
    """Applied, run to its end, and untouched."""
    assert lab.drift() == ()


def test_nothing_is_drift_while_runs_are_under_way_or_before_anything_exists(tmp_path: Path) -> None:
    """What is not there yet is a plan, not drift."""
    assert Lab(tmp_path / "running", finished=False).drift() == ()
    lab = Lab(tmp_path / "new")
    lab.world.change(desired([configuration(parameters={"rate": "0.9"})]), content={})
    assert [found.kind for found in lab.drift() if found.kind is not DriftKind.EXECUTABLE_CHANGED] == []


Deed = tuple[Callable[[Lab], object], DriftKind, str, str]

DEEDS: dict[str, Deed] = {
    "a run is started": (
        Lab.run_again,
        DriftKind.EXECUTION_STRAY,
        f"configuration/{SCENARIO}/baseline",
        "id-0007",
    ),
    "the run is stopped": (
        Lab.stop_first,
        DriftKind.EXECUTION_STOPPED,
        f"execution/{SCENARIO}/baseline",
        "id-0005",
    ),
    "the run is deleted": (
        Lab.delete_first,
        DriftKind.EXECUTION_DELETED,
        f"execution/{SCENARIO}",
        "id-0005",
    ),
    "a configuration of our name": (
        lambda lab: lab.rebind("rate", "0.2"),
        DriftKind.CONFIGURATION_FOREIGN,
        f"configuration/{SCENARIO}/baseline",
        "parameters.rate",
    ),
    "the repository leads elsewhere": (
        lambda lab: lab.server.repositories["gitops"].update(url="elsewhere"),
        DriftKind.REPOSITORY_CHANGED,
        "repository/gitops",
        "url",
    ),
    "the application follows another path": (
        lambda lab: lab.lead("path", "elsewhere"),
        DriftKind.APPLICATION_CHANGED,
        "application/meter-app",
        "path",
    ),
    "the application follows another revision": (
        lambda lab: lab.lead("revision", "mine"),
        DriftKind.APPLICATION_CHANGED,
        "application/meter-app",
        "revision",
    ),
    "the application follows another repository": (
        lambda lab: lab.lead("repositoryUrl", "elsewhere"),
        DriftKind.APPLICATION_CHANGED,
        "application/meter-app",
        "repositoryUrl",
    ),
    "the history is rewritten": (
        lambda lab: lab.branch.foreign.add(lab.server.synced["meter-app"]),
        DriftKind.REVISION_FOREIGN,
        "application/meter-app",
        "syncedRevision",
    ),
    "the executable is another": (
        lambda lab: lab.server.offered[0].update(versionId="0.0.2"),
        DriftKind.EXECUTABLE_CHANGED,
        f"template/{EXECUTABLE}",
        "version",
    ),
    "the executable has another default": (
        lambda lab: lab.server.offered[0]["parameters"][0].update(default="0.9"),
        DriftKind.EXECUTABLE_CHANGED,
        f"template/{EXECUTABLE}",
        "parameters.rate",
    ),
    "the executable is gone": (
        lambda lab: lab.server.offered.clear(),
        DriftKind.EXECUTABLE_CHANGED,
        f"template/{EXECUTABLE}",
        "executable",
    ),
    "a file of the data is larger": (
        lambda lab: (lab.folder / "a.txt").write_text("three and more"),
        DriftKind.DATASET_CHANGED,
        f"dataset/{SCENARIO}/pictures",
        "files/a.txt",
    ),
    "a file is added to the data": (
        lambda lab: (lab.folder / "b.txt").write_text("b"),
        DriftKind.DATASET_EXTRA,
        f"dataset/{SCENARIO}/pictures",
        "files/b.txt",
    ),
    "all data is removed": (
        lambda lab: (lab.folder / "a.txt").unlink(),
        DriftKind.DATASET_MISSING,
        f"dataset/{SCENARIO}/pictures",
        "files",
    ),
    "the mark of the upload is removed": (
        lambda lab: lab.folder.with_name(f"{lab.folder.name}.manifest.json").unlink(),
        DriftKind.DATASET_MISSING,
        f"dataset/{SCENARIO}/pictures",
        "marker",
    ),
    "the tag is moved": (
        lambda lab: setattr(lab, "images", (ImageState(IMAGE, ONE, TWO),)),
        DriftKind.IMAGE_MOVED,
        f"image/{IMAGE}",
        "digest",
    ),
    "the tag is removed": (
        lambda lab: setattr(lab, "images", (ImageState(IMAGE, ONE, None),)),
        DriftKind.IMAGE_MISSING,
        f"image/{IMAGE}",
        "digest",
    ),
    "a template is edited": (
        lambda lab: lab.edit(PATH, b"mine"),
        DriftKind.RENDERED_EDITED,
        "rendered/local",
        f"templates/{EXECUTABLE}.yaml",
    ),
    "a template is added": (
        lambda lab: lab.edit("rendered/local/templates/mine.yaml", b"mine"),
        DriftKind.RENDERED_EDITED,
        "rendered/local",
        "templates/mine.yaml",
    ),
}


@pytest.mark.parametrize("name", DEEDS)
def test_each_deed_is_exactly_its_own_finding(lab: Lab, name: str) -> None:
    """Kind, address and path; what is, what should be and what to do are all said."""
    deed, kind, address, path = DEEDS[name]
    deed(lab)
    (found,) = lab.drift()
    assert (found.kind, found.address, found.path) == (kind, address, path)
    assert all((found.found, found.wanted, found.remedy))


def test_every_kind_has_a_deed() -> None:
    """The closed list is tested whole; those of model servers have a test of their own."""
    servers = {DriftKind.DEPLOYMENT_STOPPED, DriftKind.DEPLOYMENT_STRAY}
    assert {kind for _, kind, _, _ in DEEDS.values()} == set(DriftKind) - servers


INDEPENDENT = [
    "a run is started",
    "a configuration of our name",
    "the executable is another",
    "a file is added to the data",
    "the tag is moved",
    "a template is added",
]


@given(st.lists(st.sampled_from(INDEPENDENT), unique=True), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_deeds_add_up_and_order_is_nothing(names: list[str], chance: random.Random) -> None:
    """Any set of deeds gives the union of their findings, whatever the order in which things are listed."""
    with TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        for name in names:
            DEEDS[name][0](lab)
        found = lab.drift()
        for collection in (lab.server.executions, lab.server.configurations, lab.server.artifacts):
            chance.shuffle(collection)
        assert lab.drift() == found
        assert {(f.kind, f.address) for f in found} == {DEEDS[name][1:3] for name in names}
        assert len(found) == len(names)


def test_a_plan_that_is_pending_is_no_drift(lab: Lab) -> None:
    """A changed parameter, an unpublished template and new data are what apply is for."""
    other = template({**DOCUMENT, "spec": {**DOCUMENT["spec"], "entrypoint": "train"}})
    lab.world.want = desired(
        [configuration(parameters={"rate": "0.3"}, with_template=other)], templates=[other]
    )
    live = lab.world.observe()
    seen = replace(lab.survey(live), explained=frozenset({PATH}))
    assert drift(lab.world.want, live, seen) == ()


def test_a_run_more_is_explained_by_a_spec_of_the_past(lab: Lab) -> None:
    """`want: 2` of an earlier commit made the second run; a third is somebody's."""
    lab.run_again()
    lab.server.finish()
    address = f"configuration/{SCENARIO}/baseline"
    lab.past = {address: (Intent(2),)}
    assert lab.drift() == ()
    lab.server.clock.moment += timedelta(minutes=1)
    lab.run_again()
    assert [found.kind for found in lab.drift()] == [DriftKind.EXECUTION_STRAY]


def test_runs_from_before_rerun_after_are_not_judged(lab: Lab) -> None:
    """They belong to an earlier spec, which need not be known any more."""
    lab.run_again()
    lab.server.finish()
    later = lab.server.clock.now() + timedelta(hours=1)
    one = lab.world.want.configurations[0]
    lab.world.want = replace(lab.world.want, executions=(execution(one, rerun_after=later),))
    assert lab.drift() == ()


def test_tries_after_a_failure_are_ours(tmp_path: Path) -> None:
    """DEAD runs and their retries are no strays."""
    lab = Lab(tmp_path, finished=False)
    lab.server.finish(status="DEAD")
    lab.world.apply()
    lab.server.finish()
    assert lab.drift() == ()


def test_a_run_stopped_after_its_timeout_was_stopped_by_us(tmp_path: Path) -> None:
    """Now, or as an earlier spec had it; stopped earlier than that it was somebody else."""
    made = template(DOCUMENT)
    one = configuration(with_template=made)
    want = desired([one], [execution(one, timeout=timedelta(hours=1))], [made])
    lab = Lab(tmp_path, want, finished=False)
    lab.server.start()
    lab.server.clock.moment += timedelta(minutes=30)
    lab.server.finish(status="STOPPED")
    assert [found.kind for found in lab.drift()] == [DriftKind.EXECUTION_STOPPED]
    lab.past = {one.address: (Intent(1, None, timedelta(minutes=20)),)}
    assert lab.drift() == ()


def test_a_stopped_run_is_no_finding_once_another_has_completed(lab: Lab) -> None:
    """Level-triggered like the rest: what is wanted is there."""
    lab.run_again()
    lab.server.executions[1].update(status="STOPPED", targetStatus="STOPPED")
    assert lab.drift() == ()


def test_a_reading_that_fails_is_an_error_and_no_finding(lab: Lab) -> None:
    """Unreadable is not gone: a store whose folder cannot be listed, an API that does not answer."""
    lab.folder.rename(lab.folder.with_name("away"))
    assert [found.path for found in lab.drift()] == ["files"]
    lab.folder.write_text("a file where a folder was")
    with pytest.raises(InputRejectedError):
        lab.drift()


def test_an_api_that_does_not_answer_ends_the_look(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a part of a report."""

    def away(self: Server, path: str, params: Mapping[str, str]) -> Any:
        raise TransientError("away")

    live = lab.world.observe()
    monkeypatch.setattr(Server, "_read", away)
    with pytest.raises(TransientError):
        lab.survey(live)


def test_somebody_pushed_between_two_looks(lab: Lab) -> None:
    """AI Core was quicker than our fetch: the branch is asked once more before anybody is blamed."""
    revision = lab.server.synced["meter-app"]
    lab.branch.foreign.add(revision)
    lab.branch.fetch = lambda: lab.branch.foreign.discard(revision)  # type: ignore[method-assign]
    assert lab.drift() == ()


def test_drift_holds_a_client_that_cannot_write() -> None:
    """By type: the port of `find_drift` and of `survey` is the one without writing methods."""
    assert inspect.signature(survey).parameters["aicore"].annotation == "AICore"
    assert inspect.signature(connect_readonly).return_annotation == "AICore"
    assert not issubclass(AICore, AICoreWriter)
    writing = {name for name in vars(AICoreWriter) if not name.startswith("_")}
    assert writing
    assert [name for name in writing if hasattr(AICore, name)] == []
    assert "AICoreWriter" not in vars(drifting)
    assert "connect" not in vars(drifting)


def test_looking_sends_no_writing_request(lab: Lab) -> None:
    """By deed as well."""
    lab.run_again()
    before = list(lab.server.writes)
    lab.drift()
    assert lab.server.writes == before


def _reports(lab: Lab) -> Drift:
    """Two deeds, one of them borne, and an entry that names nothing."""
    lab.run_again()
    lab.rebind("rate", "0.2")
    entries = [
        IgnoreEntry(
            address=f"configuration/{SCENARIO}/baseline",
            path="id-0007",
            reason="a trial",
            expiry="2026-02-01",
        ),
        IgnoreEntry(address="gone", path="*", reason="an older trial", expiry="2026-02-01"),
    ]
    findings, ignored, unused = sort_out(lab.drift(), entries)
    return Drift("local", "a" * 40, lab.server.clock.now(), findings, ignored, unused)


@pytest.mark.parametrize(
    ("name", "form"), [("drift.txt", drift_text), ("drift.json", drift_json), ("drift.md", drift_markdown)]
)
def test_reports_in_every_form(lab: Lab, name: str, form: Callable[[Drift], str]) -> None:
    """Compared whole; ignored findings stand apart and do not count."""
    report = _reports(lab)
    assert (len(report.findings), len(report.ignored), report.exit_code) == (1, 1, ExitCode.PENDING)
    path = Path(__file__).parent / "golden" / name
    if os.environ.get("CORESPEC_REGENERATE"):
        path.write_text(form(report))
    assert form(report) == path.read_text()


def test_no_finding_left_is_exit_code_0(lab: Lab) -> None:
    """Also when all that was found is borne."""
    lab.run_again()
    entry = IgnoreEntry(
        address=f"configuration/{SCENARIO}/baseline", path="*", reason="r", expiry="2026-02-01"
    )
    findings, ignored, unused = sort_out(lab.drift(), [entry])
    report = Drift("local", "a" * 40, lab.server.clock.now(), findings, ignored, unused, images_asked=True)
    assert (len(ignored), unused, report.exit_code) == (1, (), ExitCode.CONVERGED)
    assert "no differences, 1 ignored." in drift_text(report)


def test_a_huge_report_fits_a_comment_and_says_that_it_was_cut() -> None:
    """Bounded in bytes; the terminal counts what it leaves out, JSON leaves out nothing."""
    many = tuple(
        Finding("dataset/s/ä", f"files/{n:05}", DriftKind.DATASET_MISSING, "x" * 80, "y", "z")
        for n in range(3000)
    )
    report = Drift("local", "a" * 40, START, many)
    text = drift_markdown(report)
    assert len(text.encode()) <= LIMIT
    assert "**Truncated: " in text
    assert "… and 2980 more of this kind there; -o json has all" in drift_text(report)
    assert len(json.loads(drift_json(report))["findings"]) == 3000


IGNORE = """\
apiVersion: corespec/v1
kind: DriftIgnore
ignore:
  - address: execution/meters/baseline
    path: id-0005
    reason: stopped for the inspection
    expiry: {expiry}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            IGNORE.format(expiry="2026-01-01"),
            "drift-ignore.yaml:7:13: expired: ignore[0].expiry: over since 2026",
        ),
        (
            IGNORE.format(expiry="soon"),
            "drift-ignore.yaml:7:13: day: ignore[0].expiry: must be a day, such as",
        ),
        (IGNORE.format(expiry="2026-02-31"), "drift-ignore.yaml:7:13: day: "),
        (
            IGNORE.format(expiry="2026-02-01\n    until: x"),
            "drift-ignore.yaml:8:5: unknown-key: ignore[0].until",
        ),
        (IGNORE.replace("    reason: stopped for the inspection\n", ""), "missing-key: ignore[0].reason"),
        (
            IGNORE.replace("stopped for the inspection", '" "'),
            "drift-ignore.yaml:6:13: one-line: ignore[0].reason",
        ),
        (IGNORE.replace("path: id-0005", "path: id-0005\n    path: x"), "duplicate-key"),
    ],
)
def test_faults_of_the_ignore_file_are_named_where_they_are(tmp_path: Path, text: str, message: str) -> None:
    """File, line, column, field; an expired entry is a fault (exit code 2 like every InputError)."""
    (tmp_path / "drift-ignore.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_ignores(tmp_path, START.date())
    assert message in str(caught.value)


def test_an_entry_holds_until_the_end_of_its_last_day(tmp_path: Path) -> None:
    """And a project without the file ignores nothing."""
    assert read_ignores(tmp_path, START.date()) == ()
    (tmp_path / "drift-ignore.yaml").write_text(IGNORE.format(expiry=START.date().isoformat()))
    (entry,) = read_ignores(tmp_path, START.date())
    assert (entry.path, entry.reason) == ("id-0005", "stopped for the inspection")


def _server_kinds(world: World) -> list[DriftKind]:
    return [found.kind for found in drift(world.want, world.observe(), Seen({}, {}))]


def test_a_model_server_stopped_by_hand_until_another_serves(tmp_path: Path) -> None:
    """corespec stops none; one with a time to live ends by itself; the next apply starts another."""
    world = served(World(tmp_path, serving("a")))
    assert _server_kinds(world) == []
    world.server.deployments[0].update(status="STOPPED", targetStatus="STOPPED")
    assert _server_kinds(world) == [DriftKind.DEPLOYMENT_STOPPED]
    kept, (server,) = world.want, world.want.deployments
    world.want = replace(kept, deployments=(replace(server, ttl="12h"),))
    assert _server_kinds(world) == []
    world.want = kept
    world.apply()
    assert _server_kinds(world) == []


def test_a_second_model_server_is_somebodys(tmp_path: Path) -> None:
    """The younger one is named."""
    world = served(World(tmp_path, serving("a")))
    (first,) = world.server.deployments
    world.server.clock.moment += timedelta(minutes=1)
    second = world.aicore.create_deployment(first["configurationId"])
    (found,) = drift(world.want, world.observe(), Seen({}, {}))
    assert (found.kind, found.path) == (DriftKind.DEPLOYMENT_STRAY, second)


@pytest.mark.parametrize("by_hand", [False, True])
def test_what_another_version_rendered_is_held_against_its_own_manifest(lab: Lab, by_hand: bool) -> None:
    """A new version of corespec that renders otherwise is nobody's deed."""
    old = b"rendered by an older version"
    document = {
        "tool": {"name": "corespec", "version": "0.0.0"},
        "files": {PATH: hashlib.sha256(old).hexdigest()},
    }
    lab.edit(PATH, old + b", and edited" if by_hand else old)
    lab.edit("rendered/local/manifest.json", json.dumps(document).encode())
    assert [found.kind for found in lab.drift()] == [DriftKind.RENDERED_EDITED] * by_hand
