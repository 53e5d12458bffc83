"""A plan that finds nothing to do, against `terraform plan` over as many resources.

Ours: `corespec plan` over a local AI Core that holds N configurations and N completed executions. It parses
the specs, renders, hashes the data, reads AI Core over HTTP and compares. Peer: `terraform plan` over N
`terraform_data` resources (built in: no provider, no network) in its state file. Both are fresh processes and
must end with "nothing to do". Terraform's resources are written as N blocks: one block with `for_each` over N
keys is about twenty times slower to plan.

The local AI Core is filled through the API by `corespec reconcile`, all but the executions: their rows are
inserted into its database, as 5,000 trainings would take a while. Terraform applies one resource, and its
state is then repeated N times: applying 5,000 takes it longer than a quarter of an hour.

ratio = seconds of terraform / seconds of ours: above 1 we are faster.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from contextlib import closing
from pathlib import Path

from benchmarks import projects, report

_NOTHING_TO_DO = 0
_BLOCK = 'resource "terraform_data" "run_{0:05}" {{\n  input = {{ name = "run_{0:05}" }}\n}}\n'
_COMPLETED = """
INSERT INTO executions (
  id, resource_group, configuration_id, configuration_name, scenario_id, executable_id, status, target_status,
  status_message, status_details, submission_time, start_time, completion_time, created_at, modified_at)
SELECT
  'e' || printf('%015x', seq), resource_group, id, name, scenario_id, executable_id, 'COMPLETED', 'COMPLETED',
  '', '{}', created_at, created_at, created_at, created_at, created_at
FROM configurations
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print its report."""
    parser = report.parser(__doc__)
    parser.add_argument("--count", type=report.positive, default=5000, help="configurations (default 5000)")
    parser.add_argument(
        "--repeats", type=report.positive, default=3, help="plans of each; the fastest counts"
    )
    parser.add_argument(
        "--peer-minutes",
        type=float,
        default=30.0,
        help="longest that one terraform command may take (default 30)",
    )
    options = parser.parse_args(arguments)
    report.show(measure(options.count, options.repeats, options.peer_minutes), options.output)
    return 0


def measure(count: int, repeats: int, peer_minutes: float) -> report.Report:
    """Fill both worlds in a temporary folder and time their plans."""
    made = report.Report("plan, nothing to do", {"objects": count, "repeats": repeats})
    with tempfile.TemporaryDirectory(prefix="corespec-bench-") as folder:
        ours = _ours(Path(folder) / "corespec", count, repeats)
        made.rows.append(report.Row("corespec plan", {"seconds": ours, "objects a second": 2 * count / ours}))
        try:
            peer = _terraform(Path(folder) / "terraform", count, repeats, peer_minutes)
        except report.PeerMissingError as missing:
            made.skipped["terraform plan"] = str(missing)
            return made
    made.rows.append(report.Row("terraform plan", {"seconds": peer, "objects a second": count / peer}))
    made.compare("terraform / corespec", ours, peer)
    made.notes.append(
        f"ours compares {count} configurations and {count} executions, terraform {count} resources"
    )
    return made


def _ours(root: Path, count: int, repeats: int) -> float:
    from corespec import localserver

    project = root / "project"
    data = project / ".corespec" / "local"
    environment = {
        **os.environ,
        "CORESPEC_STATE_DIR": str(root / "state"),
        **{f"GIT_{who}_{what}": "bench" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(root / "gitops.git"))
    _git("clone", "--quiet", str(root / "gitops.git"), str(project))
    _python("-m", "trainer", "draw-counters", str(project / "data" / "digits"), "--count", "10")
    projects.write_environment(project)
    projects.write_runs(project, 1, executions=False)
    (project / ".gitignore").write_text("data/\n.corespec/\n")
    _git("-C", str(project), "add", ".")
    _git("-C", str(project), "commit", "--quiet", "--message", "Bench", env=environment)
    _git("-C", str(project), "push", "--quiet", "origin", "HEAD:main")
    data.mkdir(parents=True)
    localserver.start(data)
    try:
        corespec = ["-m", "corespec"]
        place = ["--directory", str(project), "--environment", projects.ENVIRONMENT]
        # One configuration first: the dataset is then known, and is not checked again for each of the others.
        _python(*corespec, "reconcile", "--once", *place, env=environment)
        projects.write_runs(project, count, executions=False)
        _python(*corespec, "reconcile", "--once", *place, env=environment)
        with closing(sqlite3.connect(data / "localcore.db", timeout=30)) as database, database:
            database.execute(_COMPLETED)
        projects.write_runs(project, count, executions=True)
        return report.best_of(repeats, lambda: _python(*corespec, "plan", *place, env=environment))
    finally:
        localserver.stop(data)


def _terraform(root: Path, count: int, repeats: int, minutes: float) -> float:
    terraform = shutil.which("terraform")
    if terraform is None:
        raise report.PeerMissingError(
            "terraform is not on PATH: https://developer.hashicorp.com/terraform/install"
        )
    root.mkdir(parents=True)
    blocks = [_BLOCK.format(index) for index in range(count)]
    (root / "main.tf").write_text(blocks[0])
    environment = os.environ | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}

    def run(*arguments: str) -> None:
        command = [terraform, *arguments, "-input=false", "-no-color"]
        try:
            _call(command, cwd=root, env=environment, timeout=60 * minutes)
        except subprocess.TimeoutExpired:
            reason = f"`terraform {arguments[0]}` did not end within {minutes:g} minutes"
            raise report.PeerMissingError(reason) from None

    run("init")
    run("apply", "-auto-approve")
    (root / "main.tf").write_text("".join(blocks))
    _multiply(root / "terraform.tfstate", count)
    return report.best_of(repeats, lambda: run("plan", "-detailed-exitcode"))


def _multiply(state: Path, count: int) -> None:
    """Repeat the one applied resource: applying thousands takes Terraform longer than anybody waits.

    A state that Terraform would not accept shows in its plan, which must find nothing to do.
    """
    document = json.loads(state.read_text())
    (first,) = document["resources"]
    text = json.dumps(first)
    for index in range(1, count):
        copy = json.loads(text.replace("run_00000", f"run_{index:05}"))
        copy["instances"][0]["attributes"]["id"] = str(uuid.UUID(int=index))
        document["resources"].append(copy)
    state.write_text(json.dumps(document))


def _python(*arguments: str, env: dict[str, str] | None = None) -> None:
    _call([sys.executable, *arguments], env=env)


def _git(*arguments: str, env: dict[str, str] | None = None) -> None:
    _call(["git", *arguments], env=env)


def _call(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    timeout: float | None = None,
) -> None:
    """Run a command that must end with exit code 0; its output is shown only when it does not."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        timeout=timeout,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != _NOTHING_TO_DO:
        raise RuntimeError(
            f"{' '.join(command)} ended with exit code {done.returncode}:\n{done.stdout[-3000:]}"
        )


if __name__ == "__main__":
    raise SystemExit(main())
