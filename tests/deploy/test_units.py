"""The files in deploy/ for systemd and Kubernetes: well formed, least privilege, in step with the verb."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.spec.operations import LeaseLock

ROOT = Path(__file__).parents[2]
SYSTEMD, KUBERNETES = ROOT / "deploy" / "systemd", ROOT / "deploy" / "kubernetes"
UNIT = SYSTEMD / "corespec.service"


def documents() -> list[dict[str, Any]]:
    files = sorted(KUBERNETES.glob("*.yaml"))
    return [found for path in files for found in yaml.safe_load_all(path.read_text()) if found]


def pods() -> dict[str, dict[str, Any]]:
    """Kind -> pod spec."""
    found = {}
    for one in documents():
        if one["kind"] == "Deployment":
            found["Deployment"] = one["spec"]["template"]["spec"]
        elif one["kind"] == "CronJob":
            found["CronJob"] = one["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


def containers() -> Iterator[dict[str, Any]]:
    for pod in pods().values():
        yield from [*pod.get("initContainers", []), *pod["containers"]]


def daemon() -> dict[str, Any]:
    (found,) = pods()["Deployment"]["containers"]
    return dict(found)


def test_every_field_is_one_that_kubernetes_knows() -> None:
    """A misspelt `readOnlyRootFileSystem` is accepted by YAML and protects nothing."""
    client = pytest.importorskip("kubernetes.client", reason="needs pip install 'corespec[kubernetes]'")

    def check(value: Any, kind: str, where: str) -> None:
        if matched := re.fullmatch(r"list\[(.+)\]", kind, re.IGNORECASE):
            for index, item in enumerate(value):
                check(item, matched[1], f"{where}[{index}]")
        elif model := getattr(client, kind, None):
            names = {wire: name for name, wire in model.attribute_map.items()}
            for field, item in value.items():
                assert field in names, f"{where}.{field} is no field of {kind}"
                check(item, model.openapi_types[names[field]], f"{where}.{field}")

    for one in documents():
        check(one, f"V1{one['kind']}", one["kind"])


def test_nobody_is_root_and_nothing_can_be_written_but_two_folders() -> None:
    assert sorted(pods()) == ["CronJob", "Deployment"]
    for pod in pods().values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65534
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        kinds = {volume["name"]: set(volume) - {"name"} for volume in pod["volumes"]}
        assert kinds == {"state": {"emptyDir"}, "tmp": {"emptyDir"}, "cluster": {"projected"}}
    for container in containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert writable == {"/var/lib/corespec", "/tmp"}
        assert container["resources"]["limits"]["memory"]


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = [one for one in documents() if one["kind"] == kind]
    return found


def test_the_only_right_in_the_cluster_is_one_lease() -> None:
    """No wildcard, no role of the cluster; `create` alone has no name, as Kubernetes cannot restrict it."""
    assert {one["kind"] for one in documents()} == {
        *("CronJob", "Deployment", "NetworkPolicy", "Service"),
        *("Role", "RoleBinding", "ServiceAccount"),
    }
    lease = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
    assert of_kind("Role")["rules"] == [
        {**lease, "resourceNames": ["corespec"], "verbs": ["get", "update"]},
        {**lease, "verbs": ["create"]},
    ]
    account, binding = of_kind("ServiceAccount")["metadata"]["name"], of_kind("RoleBinding")
    assert binding["roleRef"]["name"] == of_kind("Role")["metadata"]["name"]
    assert binding["roleRef"]["kind"] == "Role"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account}]
    assert all(pod["serviceAccountName"] == account for pod in pods().values())


def test_the_lock_of_the_example_is_the_one_with_the_rights() -> None:
    """The line in the comment is one that an environment may hold, and names the Lease of the role."""
    text = (KUBERNETES / "rbac.yaml").read_text()
    (line,) = re.findall(r"^#   lock: (.*)$", text, re.MULTILINE)
    lock = LeaseLock.model_validate(yaml.safe_load(line))
    assert [lock.name] == of_kind("Role")["rules"][0]["resourceNames"]


def test_the_token_is_for_those_who_take_the_lock() -> None:
    """Short-lived, read-only, where the client looks for it; not in the container that clones."""
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert of_kind("ServiceAccount")["automountServiceAccountToken"] is False
    for pod in pods().values():
        assert pod["automountServiceAccountToken"] is False
        (volume,) = [volume for volume in pod["volumes"] if "projected" in volume]
        token, authority = volume["projected"]["sources"]
        assert token == {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
        assert authority["configMap"]["name"] == "kube-root-ca.crt"
        mount = {"name": volume["name"], "mountPath": folder, "readOnly": True}
        assert all(mount in container["volumeMounts"] for container in pod["containers"])
        for container in pod.get("initContainers", []):
            assert volume["name"] not in {mount["name"] for mount in container["volumeMounts"]}


def test_the_image_can_take_the_lock() -> None:
    assert "'/src[kubernetes]'" in (ROOT / "deploy" / "Dockerfile").read_text()


def test_secrets_come_from_a_secret_and_to_whom_they_serve() -> None:
    for container in containers():
        for variable in container["env"]:
            if re.search(r"KEY|TOKEN|SECRET|USER|URL", variable["name"]):
                assert variable["valueFrom"]["secretKeyRef"]["name"] == "corespec"
        assert "envFrom" not in container
    (cloning,) = pods()["Deployment"]["initContainers"]
    assert "AICORE_SERVICE_KEY" not in {variable["name"] for variable in cloning["env"]}


def test_the_daemon_is_probed_where_it_answers() -> None:
    container = daemon()
    port = container["ports"][0]["containerPort"]
    assert f"0.0.0.0:{port}" in container["args"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    (service,) = [one for one in documents() if one["kind"] == "Service"]
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["ports"][0]["port"] == port
    labels = next(one for one in documents() if one["kind"] == "Deployment")["spec"]["template"]["metadata"]
    assert service["spec"]["selector"].items() <= labels["labels"].items()


def test_there_is_one_writer() -> None:
    deployment = next(one for one in documents() if one["kind"] == "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    assert (
        next(one for one in documents() if one["kind"] == "CronJob")["spec"]["concurrencyPolicy"] == "Forbid"
    )


def commands() -> list[list[str]]:
    """The words after `corespec` wherever a file starts it."""
    (line,) = re.findall(r"^ExecStart=\S*corespec (.*)$", UNIT.read_text(), re.MULTILINE)
    (job,) = pods()["CronJob"]["containers"]
    (cron,) = re.findall(r"corespec (reconcile .*?) \|\|", job["args"][0])
    return [line.split(), cron.split(), daemon()["args"]]


@pytest.mark.parametrize("words", commands())
def test_the_verb_has_every_option_that_is_given(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "corespec", "reconcile", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert words[0] == "reconcile"
    for word in words:
        if word.startswith("-"):
            assert re.search(rf"(?<![\w-]){word}(?![\w-])", done.stdout), word


@pytest.mark.parametrize(
    "script", [container["args"][0] for container in containers() if "command" in container]
)
def test_scripts_are_shell(script: str) -> None:
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("code", "fails"), [(0, False), (3, False), (5, False), (1, True), (2, True), (4, True)]
)
def test_the_job_fails_for_what_is_a_failure(tmp_path: Path, code: int, fails: bool) -> None:
    """Run as it stands, with commands of ours in the place of Git and corespec."""
    for name, said in (("git", "exit 0"), ("corespec", f"exit {code}")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{said}\n")
        (tmp_path / name).chmod(0o755)
    (job,) = pods()["CronJob"]["containers"]
    path = f"{tmp_path}:/usr/bin:/bin"
    done = subprocess.run([*job["command"], job["args"][0]], env={"PATH": path}, check=False)
    assert (done.returncode != 0) is fails


def test_the_clone_hands_the_token_to_git_and_to_nobody_else(tmp_path: Path) -> None:
    """The helper of the script answers Git; the words of the command hold names of variables only."""
    (cloning,) = pods()["Deployment"]["initContainers"]
    (tmp_path / "git").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "git").chmod(0o755)
    environ = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "GIT_USER": "kim",
        "GIT_TOKEN": "c4nary",
        "CORESPEC_BRANCH": "main",
        "CORESPEC_REPOSITORY": "https://git.example.com/a.git",
    }
    done = subprocess.run(
        [*cloning["command"], cloning["args"][0]],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    words = done.stdout.splitlines()
    assert "c4nary" not in done.stdout
    assert words[2:] == ["clone", "--branch", "main", "https://git.example.com/a.git", "clone"]
    helper = words[1].removeprefix("credential.helper=!")
    answered = subprocess.run(["sh", "-c", helper], env=environ, capture_output=True, text=True, check=True)
    assert answered.stdout == "username=kim\npassword=c4nary\n"


def unit() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser["Service"]


def test_the_service_may_write_its_own_folder_only() -> None:
    service = unit()
    expected = {
        "DynamicUser": "yes",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "CapabilityBoundingSet": "",
        "StateDirectory": "corespec",
        "StateDirectoryMode": "0700",
        "UMask": "0077",
    }
    assert {name: service[name] for name in expected} == expected
    assert "ReadWritePaths" not in service


def test_the_service_is_ended_and_called_by_the_signals_of_the_daemon() -> None:
    service = unit()
    assert service["ExecReload"].endswith("kill -HUP $MAINPID")
    assert service["KillMode"] == "mixed"
    assert service["RestartPreventExitStatus"] == "2"


def test_the_example_names_what_the_service_uses() -> None:
    used = set(re.findall(r"\$\{?([A-Z_]+)\}?", unit()["ExecStart"] + unit()["ExecStartPre"]))
    example = (SYSTEMD / "corespec.env.example").read_text()
    given = dict(line.split("=", 1) for line in example.splitlines() if "=" in line and line[0] != "#")
    assert used <= set(given)
    assert all(not value for name, value in given.items() if re.search(r"KEY|TOKEN|SECRET|USER|URL", name))


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze: apt install systemd"
)
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Not one line of complaint; the command stands where this machine has it."""
    command = tmp_path / "corespec"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    text = UNIT.read_text().replace("/usr/local/bin/corespec", str(command))
    (tmp_path / UNIT.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT.name)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, said) == (0, [])


def test_the_image_holds_every_package_and_nobody_is_root() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\w+) /src/\w+$", text, re.MULTILINE))
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert copied == packages
    assert "USER 65534:65534" in text
    assert text.startswith("#")
