"""The provider `kind`, against stand-ins for kind and docker that write down how they are called."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import kind, kind_images, kind_node
from dev.cluster.cluster import ClusterError
from dev.cluster.kind import Kind
from dev.front_door import objects
from dev.machine import machine as whole_machine
from dev.machine.place import CHECKOUT, Place
from images import build
from images.definitions import DEFINITIONS, Definition, ImageError

STAND_IN = """#!/bin/sh
cd {folder}
call="$(basename "$0") $*"
echo "$call" >> calls
fail() {{
  echo "$1" >&2
  exit 1
}}
inside() {{
  grep -qx {name} clusters && [ -e running ] || fail "Error response from daemon: Container $1 is not running"
}}
case "$call" in "docker exec "*|"kind get kubeconfig "*|"kind load "*|"docker port "*) inside "$4" ;; esac
case "$call" in
  "docker info") exit $(cat info) ;;
  "docker port "*) [ -s port ] || fail "Error: No public port '8088/tcp' published for $3"; cat port ;;
  "docker start "*) touch running ;;
  "docker stop "*) rm -f running ;;
  "docker exec "*"ls /etc/kubernetes/admin.conf "*) [ ! -e begun ] || echo /etc/kubernetes/admin.conf ;;
  "docker exec "*" get storageclass standard "*) [ ! -e whole ] || echo storageclass/standard ;;
  "docker exec "*" patch storageclass "*) [ -e whole ] || fail 'storageclasses "standard" not found' ;;
  "docker exec "*" images ls --quiet") cat images ;;
  "docker exec "*" images tag "*) for name; do :; done; echo "$name" >> images ;;
  "docker exec "*" apply "*) cat > applied ;;
  "docker run "*) touch built ;;
  "kind get clusters") cat clusters ;;
  "kind get kubeconfig "*) [ -e begun ] || fail "could not get the kubeconfig"; echo "the kubeconfig" ;;
  "kind create cluster "*)
    ! grep -qx {name} clusters || fail "node(s) already exist for a cluster with the name"
    cat > configuration
    echo {name} >> clusters
    touch running begun whole
    ;;
  "kind delete cluster "*) sed -i /^{name}$/d clusters; rm -f running begun whole; : > images ;;
esac
"""


@dataclass
class Machine:
    """What the stand-ins answer, in files, and what they were asked."""

    folder: Path
    cluster: str  # the name of ours

    def calls(self, beginning: str = "") -> list[str]:
        return [call for call in self._read("calls").splitlines() if call.startswith(beginning)]

    def forget(self) -> None:
        (self.folder / "calls").unlink()

    def answers(self, what: str, text: str) -> None:
        (self.folder / what).write_text(text)

    def has_our_cluster(self, *state: str) -> None:
        """There is one from before: by default whole and stopped."""
        self.answers("clusters", f"other\n{self.cluster}\n")
        for each in state or ("begun", "whole"):
            self.answers(each, "")

    def given(self, what: str) -> list[Any]:
        return list(yaml.safe_load_all(self._read(what)))

    def _read(self, name: str) -> str:
        file = self.folder / name
        return file.read_text() if file.exists() else ""


@pytest.fixture
def machine(tmp_path, monkeypatch, place) -> Machine:
    """A machine with kind, an engine that answers, built images, and no cluster of ours yet."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("docker", "kind"):
        (folder / name).write_text(STAND_IN.format(folder=folder, name=place.name))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.delenv("URUMI_PLUGINS", raising=False)
    monkeypatch.setattr(kind, "answers", lambda kubeconfig, patience: True)
    monkeypatch.setattr(kind.build, "helm", lambda say: Path("/helm"))
    monkeypatch.setattr(kind.front_door, "answers", lambda port: True)
    monkeypatch.setattr(build, "archive", lambda definition, say, *folders: _archive(definition))
    made = Machine(folder, place.name)
    for what, text in {"info": "0", "clusters": "other\n", "port": "127.0.0.1:8088\n", "images": ""}.items():
        made.answers(what, text)
    return made


@pytest.fixture
def place(tmp_path) -> Place:
    (tmp_path / "place").mkdir()
    return Place(tmp_path / "place")


def _archive(definition: Definition, packages: str = "aaaa") -> Path:
    return Path(f"/cache/{definition.name}-{packages}-bbbb.oci.tar")


def _silent(_: str) -> None:
    """Nothing."""


class TestCluster:
    def test_made_where_there_is_none(self, machine, place):
        cluster = Kind().up(place, _silent)
        named = f"--name {place.name} --kubeconfig {place.kubeconfig}"
        create = f"kind create cluster {named} --config - --wait 120s"
        assert create in machine.calls()
        assert cluster.kubeconfig.read_text() == "the kubeconfig\n"
        assert cluster.kubeconfig.stat().st_mode & 0o077 == 0
        assert cluster.pods == "real"
        assert cluster.parts == ()

    def test_its_front_door_gets_a_free_port_of_this_machine_alone(self, machine, place):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", 8088))
                taken.listen()
            except OSError:
                pass  # somebody else has it: as good
            Kind().up(place, _silent)
        (configuration,) = machine.given("configuration")
        ((mapping,),) = [node["extraPortMappings"] for node in configuration["nodes"]]
        assert mapping["listenAddress"] == "127.0.0.1"
        assert mapping["hostPort"] not in {0, 8088}

    def test_its_kubelet_takes_control_groups_of_version_1(self, machine, place):
        Kind().up(place, _silent)
        (configuration,) = machine.given("configuration")
        patches = [yaml.safe_load(patch) for patch in configuration["kubeadmConfigPatches"]]
        assert {"kind": "KubeletConfiguration", "failCgroupV1": False} in patches

    def test_claims_may_grow_in_a_new_one_and_in_one_from_before(self, machine, place):
        for _ in range(2):
            Kind().up(place, _silent)
            (patch,) = [call for call in machine.calls("docker exec ") if " patch " in call]
            assert patch.endswith(
                " kubectl --kubeconfig=/etc/kubernetes/admin.conf patch storageclass standard"
                ' --patch={"allowVolumeExpansion": true}'
            )
            machine.forget()

    def test_stores_answer_where_docker_says(self, machine, place):
        machine.answers("port", "127.0.0.1:34567\n")
        assert Kind().up(place, _silent).front_door == 34567

    def test_reused_and_started_where_there_is_one(self, machine, place):
        machine.has_our_cluster()
        Kind().up(place, _silent)
        assert f"docker start {place.name}-control-plane" in machine.calls()
        assert machine.calls("kind create") == []

    @pytest.mark.parametrize("left", [["running"], ["begun"], ["running", "begun"]])
    def test_one_that_kind_was_killed_over_is_made_anew(self, machine, place, left):
        machine.has_our_cluster(*left)
        said: list[str] = []
        Kind().up(place, said.append)
        made = [call.split()[1] for call in machine.calls("kind ") if call.split()[1] in {"create", "delete"}]
        assert made == ["delete", "create"]
        assert f"kind delete cluster --name {place.name} --kubeconfig {place.kubeconfig}" in machine.calls()
        assert [line for line in said if "making it anew" in line]

    def test_one_that_does_not_answer_is_not_made_anew(self, machine, place, monkeypatch):
        machine.has_our_cluster()
        monkeypatch.setattr(kind, "answers", lambda kubeconfig, patience: False)
        with pytest.raises(ClusterError, match="does not answer after 120 s"):
            Kind().up(place, _silent)
        assert machine.calls("kind delete") == []

    @pytest.mark.parametrize("image", [None, "kindest/node:v1.36.3"])
    def test_its_image_is_kinds_own_unless_one_is_named(self, machine, place, monkeypatch, image):
        monkeypatch.delenv("URUMI_KIND_IMAGE", raising=False)
        if image:
            monkeypatch.setenv("URUMI_KIND_IMAGE", image)
        Kind().up(place, _silent)
        (configuration,) = machine.given("configuration")
        assert [node.get("image") for node in configuration["nodes"]] == [image]

    def test_one_from_before_there_was_a_front_door_is_told_of(self, machine, place):
        machine.answers("port", "")
        with pytest.raises(ClusterError, match=f"kind delete cluster --name {place.name}"):
            Kind().up(place, _silent)

    def test_a_front_door_that_does_not_answer_is_told_of(self, machine, place, monkeypatch):
        monkeypatch.setattr(kind.front_door, "answers", lambda port: False)
        monkeypatch.setattr(kind, "_AT_THE_DOOR", 0)
        with pytest.raises(ClusterError, match=r"127\.0\.0\.1:8088 does not answer"):
            Kind().up(place, _silent)

    def test_down_stops_ours_only(self, machine, place):
        machine.has_our_cluster("running", "begun", "whole")
        Kind().down(place)
        assert machine.calls() == ["kind get clusters", f"docker stop {place.name}-control-plane"]

    def test_a_place_that_is_forgotten_leaves_no_cluster(self, machine, place):
        machine.has_our_cluster()
        Kind().forget(place)
        assert (machine.folder / "clusters").read_text() == "other\n"

    def test_clean_leaves_no_cluster_either(self, machine, place):
        machine.has_our_cluster("running", "begun", "whole")
        (place.data / "cluster.json").write_text('{"provider": "kind", "parts": []}')
        whole_machine.clean(place, _silent)
        assert (machine.folder / "clusters").read_text() == "other\n"
        assert not place.root.exists()

    @pytest.mark.parametrize("what", [Kind.down, Kind.forget])
    def test_another_places_cluster_is_touched_by_nothing(self, machine, tmp_path, what):
        machine.has_our_cluster()
        what(Kind(), Place(tmp_path / "another"))
        assert machine.calls() == ["kind get clusters"]

    @pytest.mark.parametrize("what", [Kind.down, Kind.forget])
    def test_where_kind_is_gone_there_is_nothing_to_do(self, tmp_path, monkeypatch, what):
        monkeypatch.setenv("PATH", str(tmp_path))
        what(Kind(), Place(tmp_path / "another"))

    def test_a_silent_engine_is_unfit(self, machine, place):
        machine.answers("info", "1")
        with pytest.raises(ClusterError, match="Docker engine does not answer"):
            Kind().up(place, _silent)

    def test_no_docker_is_unfit(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "install a Docker engine" in str(Kind().unfit())


class TestImages:
    def test_each_is_loaded_once(self, machine, place):
        Kind().up(place, _silent)
        assert sorted(machine.calls("kind load")) == [
            f"kind load image-archive {_archive(one)} --name {place.name}"
            for one in sorted(DEFINITIONS.values(), key=lambda one: one.name)
        ]
        machine.forget()
        Kind().up(place, _silent)
        assert machine.calls("kind load") == []

    def test_another_archive_is_another_reference(self, machine, place, monkeypatch):
        first = Kind().up(place, _silent).values["images"]
        assert first == {"store": "urumi/store:0.1.0-aaaa-bbbb", "database": "urumi/database:0.1.0-aaaa-bbbb"}
        machine.forget()

        def archive(definition: Definition, say: object, *folders: object) -> Path:
            return _archive(definition, "cccc" if definition.name == "store" else "aaaa")

        monkeypatch.setattr(build, "archive", archive)
        second = Kind().up(place, _silent).values["images"]
        assert second == {**first, "store": "urumi/store:0.1.0-cccc-bbbb"}
        assert len(machine.calls("kind load")) == 1

    def test_where_they_cannot_be_built_here_a_container_builds_them(
        self, machine, place, monkeypatch, tmp_path
    ):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        plugins = tmp_path / "plugins"
        (plugins / "one").mkdir(parents=True)
        (plugins / "one" / "one.php").write_text("<?php /* Plugin Name: One\nVersion: 1 */")
        monkeypatch.setenv("URUMI_PLUGINS", str(plugins))
        monkeypatch.setenv("URUMI_WORDPRESS", str(tmp_path / "wordpress"))
        monkeypatch.setattr(kind_images, "_can_build", lambda: False)

        def archive(definition: Definition, say: object, *folders: object) -> Path:
            if not (machine.folder / "built").exists():
                raise ImageError("not here")
            return _archive(definition)

        monkeypatch.setattr(build, "archive", archive)
        said: list[str] = []
        Kind().up(place, said.append)
        call = machine.calls("docker run --rm --privileged")[0]
        assert f"src={CHECKOUT},dst=/checkout,readonly" in call
        assert f"src={tmp_path}/cache/urumi/images,dst=/cache/urumi/images" in call
        assert f"src={plugins},dst=/plugins,readonly" in call
        assert f"src={tmp_path}/wordpress,dst=/wordpress,readonly" in call
        assert " sh --plugins /plugins --wordpress /wordpress" in machine.calls()
        assert [line for line in said if "in a container of debian:bookworm-slim" in line]
        assert len(machine.calls("kind load")) == len(DEFINITIONS)

    def test_where_they_could_be_built_a_failure_is_a_failure(self, machine, place, monkeypatch):
        monkeypatch.setattr(kind_images, "_can_build", lambda: True)

        def archive(*_: object) -> Path:
            raise ImageError("the mirror is away")

        monkeypatch.setattr(build, "archive", archive)
        with pytest.raises(ClusterError, match="the mirror is away"):
            Kind().up(place, _silent)
        assert machine.calls("docker run") == []

    @pytest.mark.parametrize("code", [0, 1])
    def test_in_the_container_all_is_built_and_given_to_the_caches_owner(self, tmp_path, code):
        for name in ("apt-get", "python3", "chown"):
            (tmp_path / name).write_text(
                f'#!/bin/sh\necho {name} "$@" >&2\n[ {name} != python3 ] || exit {code}\n'
            )
            (tmp_path / name).chmod(0o755)
        done = subprocess.run(
            [shutil.which("sh") or "sh", "-c", kind_images._SCRIPT, "sh", "--plugins", "/plugins"],
            env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code
        assert done.stderr.splitlines()[-2:] == [
            "python3 -m images.build --plugins /plugins",
            "chown -R --reference=/cache/urumi/images /cache/urumi/images",
        ]


class TestFrontDoor:
    @pytest.fixture
    def applied(self, machine, place) -> Callable[[str], dict[str, Any]]:
        """The only object of that kind that was applied."""
        Kind().up(place, _silent)

        def of(wanted: str) -> dict[str, Any]:
            (found,) = [one for one in machine.given("applied") if one["kind"] == wanted]
            return found

        return of

    def test_it_is_who_the_chart_lets_in(self, applied):
        values = yaml.safe_load((CHECKOUT / "chart/values.yaml").read_text())["ingress"]
        deployment = applied("Deployment")
        assert deployment["metadata"]["namespace"] == values["controller"]["namespace"]
        template = deployment["spec"]["template"]
        assert template["metadata"]["labels"].items() >= values["controller"]["podLabels"].items()
        assert "hostNetwork" not in template["spec"]
        assert values["className"] == objects.CLASS

    def test_it_runs_the_image_that_was_loaded(self, applied, machine):
        (container,) = applied("Deployment")["spec"]["template"]["spec"]["containers"]
        assert f"docker.io/{container['image']}" in (machine.folder / "images").read_text().split()
        assert container["image"] == "urumi/front-door:0.1.0-aaaa-bbbb"
        assert container["imagePullPolicy"] == "Never"

    def test_the_same_port_is_meant_everywhere(self, applied, machine):
        (container,) = applied("Deployment")["spec"]["template"]["spec"]["containers"]
        (configuration,) = machine.given("configuration")
        definition = DEFINITIONS[kind_images.FRONT_DOOR]
        script = definition.files[definition.command.removeprefix("/")].read_text()
        ports = {
            container["ports"][0]["containerPort"],
            container["ports"][0]["hostPort"],
            configuration["nodes"][0]["extraPortMappings"][0]["containerPort"],
            definition.port,
            kind_node._PORT,
            int(script.split("--port ")[1]),
        }
        assert ports == {8088}

    def test_it_may_read_routes_and_what_is_behind_them_and_nothing_else(self, applied):
        rules = applied("ClusterRole")["rules"]
        assert {(*rule["apiGroups"], *rule["resources"]) for rule in rules} == {
            ("networking.k8s.io", "ingresses"),
            ("", "services"),
            ("discovery.k8s.io", "endpointslices"),
        }
        assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
        binding = applied("ClusterRoleBinding")
        account = applied("ServiceAccount")["metadata"]
        assert binding["roleRef"]["name"] == applied("ClusterRole")["metadata"]["name"]
        assert binding["subjects"] == [{"kind": "ServiceAccount", **account}]
        assert applied("Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]

    def test_all_of_its_python_files_are_in_the_image(self):
        files = DEFINITIONS[kind_images.FRONT_DOOR].files
        assert files["usr/local/lib/urumi/dev/front_door"] == CHECKOUT / "dev" / "front_door"
