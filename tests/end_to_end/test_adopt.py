"""An account that somebody has filled through the official SDK alone is taken over without a launch."""

from __future__ import annotations

import json
import time

import pytest
from ai_core_sdk.ai_core_v2_client import AICoreV2Client
from ai_core_sdk.models import Artifact, InputArtifactBinding, ParameterBinding

from reconciler.adopting import Adopter
from reconciler.clock import SystemClock
from reconciler.errors import ConflictError
from tests.end_to_end.world import CATALOG, World

SECONDS = 30
TEMPLATES = """\
# The templates came here with `corespec import`.
apiVersion: corespec/v1
kind: Scenario
metadata: {{name: {name}, title: 'Tiny'}}
executables:
    {name}-exec:   # trains
        workflow: tiny-train
        image: "docker.io/acme/tiny:0.0.1"
        resourcePlan: starter
    {name}-server: {{workflow: tiny-serve, image: docker.io/acme/tiny:0.0.1, resourcePlan: infer.s}}

# ---- data of our own ----
datasets:
    words: {{source: data/words, path: {name}/words}}   # not bound yet
"""


class Notebook:
    """What the tutorial's cells do, with the SDK and nothing of ours."""

    def __init__(self, world: World) -> None:
        key = json.loads((world.local / "service-key.json").read_text())
        self.world = world
        self.client = AICoreV2Client(
            base_url=f"{key['serviceurls']['AI_API_URL']}/v2",
            auth_url=f"{key['url']}/oauth/token",
            client_id=key["clientid"],
            client_secret=key["clientsecret"],
            resource_group="default",
        )

    def register(self) -> str:
        folder = self.world.local / "objects" / "default" / self.world.name / "rough"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "0.txt").write_text("rough\n")
        artifact = self.client.artifact.create(
            name="Rough digits!",
            kind=Artifact.Kind.DATASET,
            url=f"ai://default/{self.world.name}/rough",
            scenario_id=self.world.name,
        )
        return str(artifact.id)

    def configure(
        self, name: str, executable: str, parameters: dict[str, str], inputs: dict[str, str]
    ) -> str:
        made = self.client.configuration.create(
            name=name,
            scenario_id=self.world.name,
            executable_id=f"{self.world.name}-{executable}",
            parameter_bindings=[ParameterBinding(key, value) for key, value in parameters.items()],
            input_artifact_bindings=[InputArtifactBinding(key, value) for key, value in inputs.items()],
        )
        return str(made.id)

    def run(self, configuration: str) -> str:
        run = self.client.execution.create(configuration_id=configuration)
        deadline = time.monotonic() + SECONDS
        while str(self.client.execution.get(run.id).status.value) not in {"COMPLETED", "DEAD"}:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return str(run.id)


@pytest.fixture
def notebook(world: World) -> Notebook:
    """Templates are in Git and synced; nothing else is anybody's."""
    world.scenario.write_text(TEMPLATES.format(name=world.name))
    world.push("Only templates")
    assert world.run("reconcile", "--once").code == 0
    return Notebook(world)


def _filled(notebook: Notebook) -> tuple[str, str]:
    """A dataset, a configuration of a name no spec can have, run twice, and one that nobody has run."""
    data = notebook.register()
    first = notebook.configure("My Digits (rough)", "exec", {"base_learning_rate": "1e-3"}, {"datain": data})
    notebook.run(first)
    run = notebook.run(first)
    notebook.configure("Nobody ran this", "exec", {"maximum_training_steps": "7"}, {"datain": data})
    return first, run


def test_from_an_account_to_a_plan_and_back(notebook: Notebook) -> None:
    """Adopt writes, plan is empty, apply does nothing; an edit launches once, as soon as it is managed."""
    world = notebook.world
    first, run = _filled(notebook)
    model = next(
        a.id
        for a in notebook.client.artifact.query(scenario_id=world.name).resources
        if a.execution_id == run
    )
    served = notebook.configure("reader", "server", {"loglevel": "3"}, {"models": model})
    server = notebook.client.deployment.create(configuration_id=served).id
    before, writes = world.scenario.read_text(), world.writes()

    listed = world.run("adopt", "-s", world.name)
    assert listed.code == 0, listed.err
    assert "Nothing is written" in listed.out
    elsewhere = world.root / "proposal.yaml"
    assert world.run("adopt", "-s", world.name, "--out", str(elsewhere)).code == 0
    assert world.scenario.read_text() == before
    done = world.run("adopt", "--scenario", world.name, "--write", "-o", "json")
    assert done.code == 0, done.err
    assert {(one["kind"], one["id"]) for one in done.document["objects"]} >= {
        ("configuration", first),
        ("execution", run),
        ("deployment", server),
        ("artifact", model),
    }
    assert done.document["left"] == []
    text = world.scenario.read_text()
    assert elsewhere.read_text() == text
    lines = iter(text.splitlines())
    assert all(line in lines for line in before.splitlines()), "every old line is there, in its order"
    assert text.index("words: {source") < text.index("artifacts:")
    assert "    my-digits-rough:\n        executable:" in text, "in the file's own indentation"

    plan = world.run("plan", "-o", "json")
    assert (plan.code, plan.document["changes"], plan.document["warnings"]) == (0, [], [])
    applied = world.run("apply", "--yes")
    assert applied.code == 0
    assert world.writes() == writes
    rows = {row["address"]: row for row in world.run("status", "-o", "json").document["rows"]}
    row = rows[f"execution/{world.name}/my-digits-rough"]
    assert (row["sync"], row["health"], row["reason"]) == ("Synced", "Healthy", "Completed")
    assert rows[f"deployment/{world.name}/reader"]["deployment"] == server
    came = world.run("provenance", f"deployment/{world.name}/reader", "-o", "json").document["predicate"]
    assert came["runDetails"]["metadata"]["invocationId"] == run
    assert came["corespec_run"]["adopted"] is False, "no commit asks for it yet"
    assert [one.split(":")[0] for one in came["corespec_unknown"]] == ["spec", "template"]
    world.push("Adopt")
    came = world.run("provenance", run, "-o", "json").document["predicate"]
    assert came["corespec_run"]["adopted"] is True
    again = world.run("adopt", "-s", world.name, "--write")
    assert "The specs own all" in again.out
    assert world.scenario.read_text() == text

    world.edit(world.scenario, 'base_learning_rate: "1e-3"', "base_learning_rate: 0.005")
    warned = world.run("plan", "-o", "json").document
    assert [w["code"] for w in warned["warnings"]] == ["adopted-differs"]
    assert warned["changes"] == []
    world.scenario.write_text(world.scenario.read_text().replace("observe: true", "observe: false"))
    planned = world.run("plan", "-o", "json")
    assert planned.code == 3
    create, launch = planned.document["changes"]
    assert (create["action"], create["address"]) == ("create", f"configuration/{world.name}/my-digits-rough")
    assert (create["reason"], create["before"], create["after"]) == (
        "differs from My Digits (rough)",
        {"parameters.base_learning_rate": "1e-3"},
        {"parameters.base_learning_rate": "0.005"},
    )
    assert (launch["action"], launch["address"]) == ("launch", f"execution/{world.name}/my-digits-rough")
    assert world.run("apply", "--yes").code == 0
    assert world.run("plan").code == 0
    written = world.writes()[len(writes) :]
    assert written == ["POST /v2/lm/configurations", "POST /v2/lm/executions"], "the server was not touched"
    world.edit(world.scenario, "base_learning_rate: 0.005", "base_learning_rate: 0.0010")
    assert world.run("plan").code == 0, "put back, the adopted one counts again"


def test_only_to_look_at(notebook: Notebook) -> None:
    """Without any scenario and without its templates: a new file, everything observed, exit 0; its
    runs can be asked for by their name, and the plan refuses to manage what it has no template of."""
    world = notebook.world
    first, _ = _filled(notebook)
    world.scenario.unlink()
    world.push("No scenario at all")
    done = world.run("adopt", "-s", world.name, "--write")
    assert done.code == 0, done.err
    spec = world.project / "specs" / f"{world.name}.yaml"
    assert "content:" not in spec.read_text()
    assert world.run("validate").code == 0
    assert world.run("plan").code == 0
    assert world.run("logs", "my-digits-rough").code == 0
    shown = world.run("status", "-o", "json").out
    assert first in shown
    assert "only observed" in shown
    observed = spec.read_text()
    spec.write_text(observed.replace("observe: true", "observe: false"))
    refused = world.run("plan")
    assert refused.code == 2
    assert "unknown-executable" in refused.err

    # The template comes later: adopt says then for which content each entry stands, and managing is free.
    executable = "{workflow: tiny-train, image: 'docker.io/acme/tiny:0.0.1', resourcePlan: starter}"
    spec.write_text(f"{observed}executables: {{{world.name}-exec: {executable}}}\n")
    completed = world.run("adopt", "-s", world.name, "--write", "-o", "json")
    assert completed.code == 0, completed.err
    names = ("my-digits-rough", "nobody-ran-this")
    assert completed.document["completed"] == [f"configuration/{world.name}/{name}" for name in names]
    assert spec.read_text().count("content:") == len(names)
    spec.write_text(spec.read_text().replace("observe: true", "observe: false"))
    stages = {change["stage"] for change in world.run("plan", "-o", "json").document["changes"]}
    assert stages <= {"publish", "sync"}


def test_a_plan_that_would_launch_writes_nothing(notebook: Notebook) -> None:
    """Something else is pending: exit code 2, its address and reason, and not a byte is written."""
    world = notebook.world
    _filled(notebook)
    with world.scenario.open("a") as spec:
        spec.write(f"configurations:\n  own: {{executable: {world.name}-exec, inputs: {{datain: words}}}}\n")
        spec.write("executions: {own: {configuration: own}}\n")
    before = world.scenario.read_bytes()
    refused = world.run("adopt", "-s", world.name, "--write")
    assert refused.code == 2
    assert f"execution/{world.name}/own: launch" in refused.err
    assert world.scenario.read_bytes() == before
    assert world.run("adopt", "-s", "nowhere-at-all", "--write").code == 2


def test_what_no_spec_can_say_is_left(notebook: Notebook) -> None:
    """A parameter that the workflow does not have, one that sounds like a secret: named, with the reason."""
    world = notebook.world
    data = notebook.register()
    strange = notebook.configure("strange", "exec", {"colour": "red"}, {"datain": data})
    secret = notebook.configure("secret", "exec", {"db_password": "hunter2"}, {"datain": data})
    world.push("Nothing new")
    done = world.run("adopt", "-s", world.name, "--write", "-o", "json")
    assert done.code == 0, done.err
    left = {one["id"]: one["reason"] for one in done.document["left"]}
    assert "no parameter of this name" in left[strange]
    assert "db_password sounds like a secret" in left[secret]
    assert "hunter2" not in world.scenario.read_text() + done.out
    assert world.run("plan").code == 0


def test_a_spec_that_changes_meanwhile_is_not_overwritten(notebook: Notebook) -> None:
    """Somebody saves the file between the look and the write: nothing of theirs is lost."""
    world = notebook.world
    _filled(notebook)
    adopter = Adopter(world.project, "local", (CATALOG,), SystemClock(), world.name)
    found = adopter.find()
    edited = world.scenario.read_text() + "# saved by somebody\n"
    world.scenario.write_text(edited)
    with pytest.raises(ConflictError, match="has changed since it was read"):
        adopter.write(found)
    assert world.scenario.read_text() == edited
