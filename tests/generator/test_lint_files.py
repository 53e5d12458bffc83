"""Lint of files, and of all files of a tenant together."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from generator.lint import errors, lint, lint_file, lint_files, lint_tenant
from tests.generator.lint_examples import dump, files, serving_template, workflow_template

Json = dict[str, Any]


def codes(found: list[Any]) -> list[str]:
    return [item.code for item in found]


def other(document: Json, id_: str, **annotations: str) -> Json:
    changed = copy.deepcopy(document)
    changed["metadata"]["name"] = id_
    changed["metadata"]["annotations"] |= {
        f"scenarios.ai.sap.com/{key}": value for key, value in annotations.items()
    }
    return changed


def test_findings_in_a_file_have_lines_and_columns() -> None:
    text = dump(workflow_template()).replace("entrypoint: main", "entrypoint: mian")
    (found,) = lint_file("a.yaml", text.encode())
    assert text.splitlines()[found.line - 1][found.column - 1 :] == "mian"


def test_an_unknown_field_is_found_at_its_name() -> None:
    text = dump(workflow_template()).replace("entrypoint: main", "entrypoint: main\n  entryPoint: main")
    (found,) = lint_file("a.yaml", text.encode())
    assert text.splitlines()[found.line - 1][found.column - 1 :] == "entryPoint: main"


@pytest.mark.parametrize(
    ("name", "content", "code", "place"),
    [
        ("a.txt", b"kind: WorkflowTemplate", "file-type", (1, 1)),
        ("Dockerfile", b"FROM x", "file-type", (1, 1)),
        ("a.yaml", b"a: [", "yaml-syntax", (2, 1)),
        ("a.yaml", b"a: b\x07", "yaml-syntax", (1, 1)),
        ("a.json", b'{"a": 1,\n}', "yaml-syntax", (2, 1)),
        ("a.yaml", b"kind: [\xff]", "unreadable", (1, 1)),
        ("a.yaml", b"[" * 100, "unreadable", (1, 66)),
        ("a.json", b"[" * 100_000, "unreadable", (1, 1)),
        ("a.yaml", b"a: &a\n  b: *a", "unreadable", (2, 6)),
        ("a.yaml", b"? [a]\n: b", "unreadable", (1, 3)),
        ("a.yaml", b"# nothing\n---\n", "no-template", (1, 1)),
        ("a.yaml", b"", "no-template", (1, 1)),
        ("a.yaml", b"- 1", "template-kind", (1, 1)),
        ("a.yaml", b"kind: Secret", "template-kind", (1, 7)),
    ],
)
def test_a_file_that_is_no_template_is_one_clear_error(
    name: str, content: bytes, code: str, place: tuple[int, int]
) -> None:
    found = lint_file(name, content)
    assert [(item.code, (item.line, item.column)) for item in found] == [(code, place)]
    assert errors(found) == found


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    """A billion values in ten lines; nothing is built."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 10)]
    assert codes(lint_file("a.yaml", "\n".join(lines).encode())) == ["unreadable"]


def test_a_key_given_twice_is_named_with_its_first_place() -> None:
    text = dump(workflow_template()).replace("kind:", "kind: WorkflowTemplate\nkind:", 1)
    (found,) = lint_file("a.yaml", text.encode())
    assert (found.code, found.line) == ("duplicate-key", 3)
    assert "2:1" in found.message


def test_a_key_given_twice_in_json_is_found_too() -> None:
    text = json.dumps(workflow_template()).replace('"kind":', '"kind": "WorkflowTemplate", "kind":', 1)
    assert codes(lint_file("a.json", text.encode())) == ["duplicate-key"]


def test_json_is_read_as_json() -> None:
    """With lines, and with characters that YAML would not take so."""
    document = workflow_template()
    document["metadata"]["annotations"]["note"] = "\U0001f600"
    assert lint_file("a.json", json.dumps(document).encode()) == []
    document["spec"]["entrypoint"] = "mian"
    written = json.dumps(document, indent=2, ensure_ascii=False)
    (found,) = lint_file("a.json", written.encode())
    assert '"mian"' in written.splitlines()[found.line - 1]


def test_a_file_may_hold_several_documents() -> None:
    second = other(workflow_template(), "Digits")
    (found,) = lint_file("a.yaml", f"{dump(workflow_template())}---\n{dump(second)}".encode())
    assert found.code == "executable-name"
    assert found.line > dump(workflow_template()).count("\n")


def test_anchors_and_merge_keys_are_read_as_kubernetes_does() -> None:
    text = (
        dump(workflow_template()).replace("  labels:\n", "  labels: &own\n    team: vision\n", 1)
        + "  podMetadata:\n    labels:\n      <<: *own\n      ai.sap.com/version: '2'\n"
    )
    assert lint_file("a.yaml", text.encode()) == []


@pytest.mark.parametrize("word", ["yes", "on", "0017", "1_000", "1e3", "0x1F", "true", "~"])
def test_bare_words_that_kubernetes_takes_for_no_text_are_found(word: str) -> None:
    """A version written `on` would arrive as `true`, and be refused."""
    text = dump(workflow_template()).replace("ai.sap.com/version: 0.0.1", f"ai.sap.com/version: {word}")
    assert set(codes(lint_file("a.yaml", text.encode()))) <= {"label-value", "version-label"} != set()


@pytest.mark.parametrize("word", ["y", "2026-01-31", "1:30", "0.0.1", '"7"', "!!str 7"])
def test_bare_words_that_kubernetes_takes_for_text_are_good(word: str) -> None:
    text = dump(workflow_template()).replace("name: Meter reading", f"name: {word}")
    assert lint_file("a.yaml", text.encode()) == []


def test_executable_ids_are_unique_over_all_files_and_kinds() -> None:
    clash = other(serving_template(), "digit-detection")
    (found,) = lint_files(files(workflow_template(), clash))
    assert (found.code, found.path, found.severity) == ("duplicate-executable", "01.yaml", "error")
    assert "00.yaml" in found.message


def test_a_serving_template_alone_is_invisible() -> None:
    """A warning where somebody lints one file; corespec renders no such environment."""
    (found,) = lint_files(files(serving_template()))
    assert (found.code, found.severity) == ("invisible-scenario", "warning")
    assert codes(errors(lint_files(files(serving_template()), strict=True))) == ["invisible-scenario"]
    assert lint_files(files(workflow_template(), serving_template())) == []


def test_templates_of_a_scenario_tell_the_same_of_it() -> None:
    odd = other(workflow_template(), "digit-training", name="Meters")
    (found,) = lint_files(files(workflow_template(), odd))
    assert (found.code, found.path, found.severity) == ("scenario-text", "01.yaml", "warning")


@pytest.mark.parametrize("good", [workflow_template, serving_template])
def test_more_than_fifty_templates_are_a_warning(good: Any) -> None:
    """The quota can be raised, so it stops nobody, however strict."""
    many = [other(good(), f"digit-reader-{number}") for number in range(51)]
    assert "quota" not in codes(lint_files(files(*many[:50])))
    found = [item for item in lint_files(files(*many), strict=True) if item.code == "quota"]
    assert [(item.path, item.severity) for item in found] == [("50.yaml", "warning")]


def test_an_empty_folder_is_an_error() -> None:
    """AI Core answers KeyError: 'operationState'; the message says so."""
    (found,) = lint_files({})
    assert found.code == "no-template"
    assert "operationState" in found.message


def test_every_file_is_reported_in_one_run() -> None:
    found = lint_files({"b.yaml": b"kind: Secret", "a.yaml": b"a: [", "c.txt": b""})
    assert [(item.path, item.code) for item in found] == [
        ("a.yaml", "yaml-syntax"),
        ("b.yaml", "template-kind"),
        ("c.txt", "file-type"),
    ]


def test_the_rules_of_the_tenant_hold_for_documents_too() -> None:
    """What rendering has at hand: documents, each linted already."""
    documents = {"a.yaml": workflow_template(), "b.yaml": workflow_template()}
    assert codes(lint_tenant(documents)) == ["duplicate-executable"]


@pytest.mark.parametrize("document", [None, [], "text", 7, {}, {"kind": []}, {"kind": "WorkflowTemplate"}])
def test_what_is_no_template_at_all_is_a_finding(document: object) -> None:
    assert codes(lint(document, "a.yaml")) == ["template-kind"]
