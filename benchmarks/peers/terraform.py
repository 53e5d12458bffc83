"""`terraform plan` over N `terraform_data` resources: built in, no provider, no network.

The resources are written as N blocks: one block with `for_each` over N keys is about twenty times slower to
plan. Terraform applies one resource, and its state is then repeated N times: applying 5,000 takes it longer
than a quarter of an hour.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path

from benchmarks import process, report

_BLOCK = 'resource "terraform_data" "run_{0:05}" {{\n  input = {{ name = "run_{0:05}" }}\n}}\n'


class Terraform:
    """A folder in which `terraform plan` has nothing to do."""

    def __init__(self, root: Path, count: int, minutes: float) -> None:
        """`minutes`: longest that one command may take. Raises report.PeerMissingError."""
        found = shutil.which("terraform")
        if found is None:
            raise report.PeerMissingError(
                "terraform is not on PATH: https://developer.hashicorp.com/terraform/install"
            )
        self._terraform, self._root, self._minutes = found, root, minutes
        root.mkdir(parents=True)
        blocks = [_BLOCK.format(index) for index in range(count)]
        (root / "main.tf").write_text(blocks[0])
        self._run("init")
        self._run("apply", "-auto-approve")
        (root / "main.tf").write_text("".join(blocks))
        _multiply(root / "terraform.tfstate", count)

    def plan(self) -> process.Cost:
        """Plan once; a state that Terraform would not accept shows here: there must be nothing to do."""
        return self._run("plan", "-detailed-exitcode")

    def _run(self, *arguments: str) -> process.Cost:
        command = [self._terraform, *arguments, "-input=false", "-no-color"]
        environment = os.environ | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
        try:
            return process.run(command, cwd=self._root, env=environment, timeout=60 * self._minutes)
        except process.TookTooLongError as error:
            raise report.PeerMissingError(str(error)) from None


def _multiply(state: Path, count: int) -> None:
    """Repeat the one applied resource."""
    document = json.loads(state.read_text())
    (first,) = document["resources"]
    text = json.dumps(first)
    for index in range(1, count):
        copy = json.loads(text.replace("run_00000", f"run_{index:05}"))
        copy["instances"][0]["attributes"]["id"] = str(uuid.UUID(int=index))
        document["resources"].append(copy)
    state.write_text(json.dumps(document))
