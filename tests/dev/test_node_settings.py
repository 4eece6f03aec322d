"""What a node's parts are told, read back as they read it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from dev.cluster import build
from dev.cluster.node import certificates, commands, settings
from dev.cluster.node.network import Block
from dev.machine.place import CHECKOUT

BLOCK = Block(IPv4Network("10.210.32.0/20"))
CLUSTER = CHECKOUT / "dev" / "cluster"
RUNC = "/usr/sbin/runc"
GROUP = "urumi-0123abcd"
KUBECONFIG = f"{settings.HOME}/one.kubeconfig"


@pytest.fixture
def kubelet() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(settings.kubelet(BLOCK, GROUP))
    return found


def test_the_kubelet_lets_in_who_shows_the_one_certificate_and_nobody_else(kubelet, tmp_path):
    trusted = certificates.kubelet_client(tmp_path).certificate.name
    assert kubelet["authentication"] == {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": False},
        "x509": {"clientCAFile": f"{settings.HOME}/{trusted}"},
    }
    # Whoever that is may do all: it is the API server, which has asked RBAC before.
    assert kubelet["authorization"] == {"mode": "AlwaysAllow"}
    assert kubelet["readOnlyPort"] == 0
    assert kubelet["address"] == str(BLOCK.node)


def test_that_certificate_is_made_once_and_good_for_a_client_only(tmp_path):
    files = certificates.kubelet_client(tmp_path)
    before = files.certificate.read_bytes(), files.key.read_bytes()
    assert certificates.kubelet_client(tmp_path) == files
    assert (files.certificate.read_bytes(), files.key.read_bytes()) == before
    assert files.key.stat().st_mode & 0o077 == 0
    made = x509.load_pem_x509_certificate(before[0])
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    # It signs nobody else's.
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    made.verify_directly_issued_by(made)


def test_pods_ask_the_nodes_own_name_server_and_no_other(kubelet):
    assert kubelet["clusterDNS"] == [str(BLOCK.node)]
    assert kubelet["clusterDomain"] == "cluster.local"
    assert kubelet["resolvConf"] == ""
    names = settings.names(KUBECONFIG)
    assert f"kubernetes {kubelet['clusterDomain']} {{" in names
    assert f"kubeconfig {KUBECONFIG}\n" in names
    assert "forward" not in names  # nothing of the world


def test_the_name_server_knows_every_word_that_it_is_told():
    known = re.search(r"Directives = \[\]string\{(.*)\}", (CLUSTER / "coredns/main.go").read_text())
    assert known
    said = re.findall(r"^    ([a-z]+)", settings.names(KUBECONFIG), re.MULTILINE)
    assert set(said) <= set(re.findall(r'"(\w+)"', known[1]))
    assert {"errors", "ready", "kubernetes"} <= set(said)


def test_pods_have_addresses_of_the_block_that_the_proxy_knows_as_theirs():
    (plugin,) = json.loads(settings.cni(BLOCK))["plugins"]
    assert plugin["ipam"]["ranges"] == [[{"subnet": str(BLOCK.pods)}]]
    assert plugin["isGateway"]
    assert yaml.safe_load(settings.proxy(BLOCK, KUBECONFIG))["clusterCIDR"] == str(BLOCK.pods)
    # The plugins are found by their names among the built tools.
    assert {plugin["type"], plugin["ipam"]["type"]} <= set(build.NODE)
    cni = tomllib.loads(settings.containerd(RUNC))["plugins"]["io.containerd.cri.v1.runtime"]["cni"]
    assert cni["bin_dirs"] == ["/run/tools"]


def test_containerd_takes_this_machines_runc_and_our_pause():
    plugins = tomllib.loads(settings.containerd(RUNC))["plugins"]
    (name, runtime), *others = plugins["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"].items()
    assert (name, runtime["options"]["BinaryName"], others) == ("runc", RUNC, [])
    assert plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == settings.SANDBOX


def test_the_kubelet_and_containerd_meet_at_one_socket(kubelet):
    state = tomllib.loads(settings.containerd(RUNC))["state"]
    assert kubelet["containerRuntimeEndpoint"] == f"unix://{state}/containerd.sock"
    assert kubelet["cgroupRoot"] == f"/{GROUP}"


def test_parts_tell_that_they_are_ready_at_the_nodes_address(kubelet):
    assert kubelet["healthzBindAddress"] == str(BLOCK.node)
    assert kubelet["healthzPort"] == settings.READY[commands.KUBELET].port
    proxy = yaml.safe_load(settings.proxy(BLOCK, KUBECONFIG))
    assert proxy["healthzBindAddress"] == f"{BLOCK.node}:{settings.READY[commands.PROXY].port}"
    assert f"ready :{settings.READY[commands.NAMES].port}\n" in settings.names(KUBECONFIG)
    # Nothing else of the proxy is to be asked for from outside.
    assert proxy["metricsBindAddress"].startswith("127.0.0.1:")


def test_no_part_is_sent_to_a_folder_outside_its_namespaces(kubelet):
    told = [
        tomllib.loads(settings.containerd(RUNC)),
        json.loads(settings.cni(BLOCK)),
        kubelet,
        yaml.safe_load(settings.proxy(BLOCK, KUBECONFIG)),
        settings.names(KUBECONFIG).split(),
        commands.containerd(),
        commands.kubelet(BLOCK, KUBECONFIG),
        commands.proxy(),
        commands.names(),
        commands.volumes(KUBECONFIG),
    ]
    paths = {text for each in told for text in _texts(each) if text.startswith("/")}
    assert len(paths) > 20
    # Neither is a folder to write to: a program of this machine, and a control group.
    assert {path for path in paths if not path.startswith("/run/")} == {RUNC, f"/{GROUP}"}


def test_volumes_are_made_by_who_the_class_names():
    made_by = re.search(r'const provisioner = "([^"]+)"', (CLUSTER / "volumes/main.go").read_text())
    assert made_by
    storage = yaml.safe_load((CLUSTER / "settings/node-storage-class.yaml").read_text())
    assert storage["provisioner"] == made_by[1]
    assert storage["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}


def _texts(found: Any) -> Iterator[str]:
    """All texts in it; of an argument or an address what stands behind its sign."""
    if isinstance(found, dict):
        for value in found.values():
            yield from _texts(value)
    elif isinstance(found, list | tuple):
        for value in found:
            yield from _texts(value)
    elif isinstance(found, str):
        yield found.rpartition("=")[2].removeprefix("unix://")
