"""Building the cluster's tools: what decides whether it is done again, and what is said when it cannot."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from dev.cluster import build, go, stages
from dev.cluster.cluster import ClusterError
from dev.cluster.lock import locked
from dev.machine.place import CHECKOUT

GO = """#!/bin/sh
case "$1" in
  env) printf '%s\\n' {version} linux amd64 ;;
  list) echo {module} ;;
  build) {build}
    echo "$@" >> {calls}
    while [ "$1" != -o ]; do shift; done; echo built > "$2" ;;
esac
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose `go` only pretends; gives the file with its build commands."""
    stages_folder = tmp_path / "module" / "kustomize" / "stage" / "pod" / "fast"
    stages_folder.mkdir(parents=True)
    (stages_folder / "pod-ready.yaml").write_text("kind: Stage")
    (stages_folder / "kustomization.yaml").write_text("kind: Kustomization")

    def make(version: str = "go1.99.1", build: str = "") -> Path:
        calls = tmp_path / "calls"
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        text = GO.format(version=version, module=tmp_path / "module", build=build, calls=calls)
        (folder / "go").write_text(text)
        (folder / "go").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        return calls

    return make


def _quiet(_: str) -> None:
    pass


def test_the_tools_of_a_provider_are_built_once(machine):
    calls = machine()
    said: list[str] = []
    tools = build.tools(build.SIMULATED, said.append)
    assert (tools.kube_apiserver.read_text(), tools.helm.read_text(), tools.etcd.read_text()) == (
        "built\n",
    ) * 3
    assert [file.name for file in tools.kwok_stages.iterdir()] == ["pod-ready.yaml"]
    assert "6 to 10 minutes" in said[0]
    first = calls.read_text()
    assert first.count("\n") == 6
    again: list[str] = []
    assert build.tools(build.SIMULATED, again.append) == tools
    assert calls.read_text() == first
    assert again == []


def test_another_provider_builds_only_what_it_has_beside(machine):
    calls = machine()
    build.tools(build.SIMULATED, _quiet)
    tools = build.tools(build.NODE, _quiet)
    built = [line.split()[-1] for line in calls.read_text().splitlines()]
    assert len(built) == len(set(built))
    assert {"k8s.io/kubernetes/cmd/kubelet", "urumi.local/cluster/volumes"} <= set(built)
    assert {(tools.folder / "ctr").read_text(), tools.pause.read_text()} == {"built\n"}


def test_helm_alone_is_enough_for_clusters_of_others(machine):
    calls = machine()
    assert build.helm(_quiet).exists()
    assert calls.read_text().count("\n") == 1
    build.tools(build.NODE, _quiet)
    assert calls.read_text().count("helm.sh/helm/v4/cmd/helm\n") == 1


def test_the_versions_are_told_to_the_linker(machine):
    calls = machine()
    build.helm(_quiet)
    assert f"version.gitVersion={go.required('k8s.io/kubernetes')}" in calls.read_text()
    assert f"internal/version.version={go.required('helm.sh/helm/v4')}" in calls.read_text()


def test_the_image_of_the_functions_has_helm_with_the_same_flags(machine, tmp_path):
    calls = machine()
    build.helm(_quiet)
    (ours,) = calls.read_text().splitlines()
    calls.unlink()
    dockerfile = (CHECKOUT / "images/functions/Dockerfile").read_text().replace("\\\n", " ")
    (step,) = re.findall(r"^RUN (.*go build.*)$", dockerfile, re.MULTILINE)
    (sources,) = re.findall(r"^COPY (dev/cluster/.*) \./$", dockerfile, re.MULTILINE)
    module = tmp_path / "copied"
    module.mkdir()
    for source in sources.split():
        shutil.copy(CHECKOUT / source, module)
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", step.replace("/helm", f"{tmp_path}/helm", 1)],
        cwd=module, env={"PATH": os.environ["PATH"]}, check=True,
    )  # fmt: skip
    theirs = calls.read_text().strip()
    assert without_output(theirs) == without_output(ours)
    assert "-X helm.sh/helm/v4/internal/version.version=v" in theirs


def without_output(call: str) -> str:
    """A call of `go build` without where it puts what it builds, and what we say by the environment."""
    return re.sub(r" -o \S+", "", call).replace(" -mod=readonly", "")


def test_a_module_that_is_not_pinned_is_named(machine, monkeypatch, tmp_path):
    machine()
    monkeypatch.setattr(go, "MODULE", tmp_path)
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.26\n")
    with pytest.raises(ClusterError, match=r"go\.mod does not require helm\.sh/helm/v4"):
        build.helm(_quiet)


def test_another_go_builds_into_another_folder(machine):
    machine("go1.99.1")
    first = build.helm(_quiet)
    machine("go1.99.2")
    assert build.helm(_quiet) != first


@pytest.mark.parametrize("changed", ["go.mod", "go.sum"])
def test_changed_pins_build_into_another_folder(machine, monkeypatch, tmp_path, changed):
    machine()
    first = build.helm(_quiet)
    pins = tmp_path / "pins"
    pins.mkdir()
    for name in ("go.mod", "go.sum"):
        (pins / name).write_text((go.MODULE / name).read_text() + ("\n" if name == changed else ""))
    monkeypatch.setattr(go, "MODULE", pins)
    assert build.helm(_quiet) != first


def test_a_failed_build_says_why_and_leaves_nothing_behind(machine):
    machine(build="echo 'no space left' >&2; exit 1;")
    with pytest.raises(ClusterError, match=r"(?s)go build.*no space left"):
        build.helm(_quiet)
    machine()
    assert build.helm(_quiet).read_text() == "built\n"


def test_an_old_go_is_named_with_the_way_to_a_new_one(machine):
    machine("go1.9.7")
    with pytest.raises(ClusterError, match=r"Go 1\.\d+\.\d+ or newer .* this is go1\.9\.7: get it from"):
        build.helm(_quiet)


def test_no_go_is_named_with_the_way_to_one(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"Go 1\.\d+\.\d+ or newer .* there is no `go`: get it from"):
        build.helm(_quiet)


def test_a_lock_holds_others_off_and_dies_with_its_owner(tmp_path):
    hold = (
        "import sys, time; from pathlib import Path; from dev.cluster.lock import locked\n"
        "with locked(Path(sys.argv[1]), waiting=print): print('held', flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "lock")], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    waited: list[float] = []

    def kill_owner() -> None:
        waited.append(time.monotonic())
        owner.kill()

    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with locked(tmp_path / "lock", waiting=kill_owner):
            pass
    assert len(waited) == 1


@pytest.mark.parametrize(
    ("text", "seconds"), [(None, 2.0), ("", 2.0), ("0", 0.0), ("0.25", 0.25), ("60", 60.0)]
)
def test_the_pods_delay(monkeypatch, text, seconds):
    monkeypatch.delenv("URUMI_POD_DELAY", raising=False)
    if text is not None:
        monkeypatch.setenv("URUMI_POD_DELAY", text)
    assert stages.pod_delay() == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_a_delay_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("URUMI_POD_DELAY", text)
    with pytest.raises(ClusterError, match="URUMI_POD_DELAY must be"):
        stages.pod_delay()


def test_the_delay_is_that_of_ready_pods_alone(tmp_path):
    for name in ("pod-ready", "pod-delete"):
        stage = {"kind": "Stage", "metadata": {"name": name}, "spec": {"next": {}}}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(stage))
    made = {
        one.get("metadata", {}).get("name"): one
        for one in yaml.safe_load_all(stages.configuration(tmp_path, 0.25))
    }
    assert made["pod-ready"]["spec"]["delay"] == {"durationMilliseconds": 250}
    assert "delay" not in made["pod-delete"]["spec"]
    assert "claim-bound" in made
