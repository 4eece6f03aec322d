"""Nothing that is built or run comes by a name that can be moved: digests and hashes, everywhere."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.machine.place import CHECKOUT

_TRACKED = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd=CHECKOUT, capture_output=True, text=True, check=True,
).stdout.split("\0")  # fmt: skip
FILES = [CHECKOUT / name for name in _TRACKED if name and (CHECKOUT / name).is_file()]
WORKFLOWS = [file for file in FILES if file.parent == CHECKOUT / ".github" / "workflows"]
REQUIREMENTS = [file for file in FILES if re.fullmatch(r"requirements.*\.txt", file.name)]
DOCKERFILES = [file for file in FILES if file.name == "Dockerfile"]
MODULES = [file for file in FILES if file.name == "go.mod"]

_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")
_READS = {"contents: read", "actions: read"}
# What jobs may do beyond reading, and why: nobody else writes.
_WRITES = {
    "release.yaml": {
        # Who it is towards Google Cloud and Sigstore, without a key; what it says of what it built.
        "build": {"id-token: write", "attestations: write"},
        # The release itself. It runs no code of a dependency.
        "publish": {"contents: write"},
    }
}


def name_of(file: Path) -> str:
    return str(file.relative_to(CHECKOUT))


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def granted(permissions: dict[str, str]) -> set[str]:
    return {f"{scope}: {right}" for scope, right in permissions.items()}


def test_there_is_something_to_look_at() -> None:
    assert WORKFLOWS
    assert REQUIREMENTS
    assert DOCKERFILES
    assert MODULES


@pytest.mark.parametrize("file", WORKFLOWS, ids=name_of)
def test_every_action_is_one_commit_and_says_which_version_that_is(file: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses:\s*(.+?)\s*$", file.read_text(), re.MULTILINE)
    assert len(used) == sum("uses" in step for step in steps(yaml.safe_load(file.read_text())))
    assert [each for each in used if not _PINNED.fullmatch(each)] == []


def test_one_version_of_an_action_is_one_commit() -> None:
    seen: dict[str, set[str]] = {}
    for file in WORKFLOWS:
        for action, commit, version in re.findall(r"uses: ([\w./-]+)@(\w+)  # (v[\d.]+)", file.read_text()):
            seen.setdefault(f"{action} {version}", set()).add(commit)
    assert {version: commits for version, commits in seen.items() if len(commits) > 1} == {}


@pytest.mark.parametrize("file", WORKFLOWS, ids=name_of)
def test_a_workflow_may_do_what_is_named_here_and_no_more(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text())
    assert isinstance(workflow["permissions"], dict), "permissions have to be named at the top"
    assert granted(workflow["permissions"]) <= _READS
    writes = _WRITES.get(file.name, {})
    assert set(writes) <= set(workflow["jobs"])
    for name, job in workflow["jobs"].items():
        assert granted(job.get("permissions", {})) <= _READS | writes.get(name, set()), name
        assert "timeout-minutes" in job, name
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("file", WORKFLOWS, ids=name_of)
def test_a_workflow_runs_no_text_of_others_as_a_script(file: Path) -> None:
    scripts = [step["run"] for step in steps(yaml.safe_load(file.read_text())) if "run" in step]
    assert [script for script in scripts if "${{" in script] == []
    assert "pull_request_target" not in file.read_text()


@pytest.mark.parametrize("file", REQUIREMENTS, ids=name_of)
def test_every_requirement_is_one_version_with_hashes(file: Path) -> None:
    text = re.sub(r"\\\n", " ", file.read_text())
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    assert [
        line for line in lines if not re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ .*--hash=sha256:", line)
    ] == []
    # As Renovate understands it: values after an equals sign, and of uv's options only some.
    command = f"uv pip compile --generate-hashes --python-version=3.11 --universal --output-file={file.name}"
    assert f"#    {command} {file.with_suffix('.in').name}\n" in file.read_text()


@pytest.mark.parametrize("file", DOCKERFILES, ids=name_of)
def test_every_base_of_an_image_is_given_and_has_a_digest(file: Path) -> None:
    text = file.read_text()
    stages = set(re.findall(r"^FROM .* AS ([\w-]+)$", text, re.MULTILINE))
    for base in re.findall(r"^FROM (?:--\S+ )*(.+?)(?: AS [\w-]+)?$", text, re.MULTILINE):
        if base in stages or base == "scratch" or re.search(r"@sha256:[0-9a-f]{64}$", base):
            continue
        # Alone: Docker takes no word more there, and says itself that a base is blank.
        given = re.fullmatch(r"\$\{(\w+)\}", base)
        assert given, f"{base} is neither a digest nor an argument that must be given"
        assert re.search(rf"^ARG {given[1]}$", text, re.MULTILINE), f"{given[1]} has a default"
        assert f"[[ ${given[1]} == *@sha256:* ]]" in text, f"nobody looks whether {given[1]} has a digest"


@pytest.mark.parametrize("file", MODULES, ids=name_of)
def test_every_go_module_has_its_checksums(file: Path) -> None:
    text, sums = file.read_text(), file.with_name("go.sum").read_text()
    instead = dict(re.findall(r"^(?:replace |\t)(\S+)(?: v\S+)? => (\S+ v\S+)$", text, re.MULTILINE))
    assert len(instead) == text.count("=>"), "a module may be replaced by a published version only"
    required = re.findall(r"^(?:require |\t)(\S+ v\S+)(?: // indirect)?$", text, re.MULTILINE)
    assert required
    used = {instead.get(line.partition(" ")[0], line) for line in required}
    assert [line for line in used if f"{line}/go.mod h1:" not in sums] == []


def test_new_versions_wait_a_week_and_each_kind_has_its_group() -> None:
    settings = json.loads((CHECKOUT / ".github" / "renovate.json").read_text())
    assert settings["minimumReleaseAge"] == "7 days"
    grouped = {manager for rule in settings["packageRules"] for manager in rule["matchManagers"]}
    assert {"pip-compile", "gomod", "github-actions", "dockerfile", "npm", "terraform"} <= grouped
    pattern = settings["pip-compile"]["managerFilePatterns"][0].strip("/")
    assert [file for file in REQUIREMENTS if not re.search(pattern, name_of(file))] == []
