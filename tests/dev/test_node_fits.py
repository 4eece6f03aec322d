"""Where the provider `node` fits, and what it says where it does not."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from dev.cluster import command, go
from dev.cluster.cluster import ClusterError
from dev.cluster.node import provider, space
from dev.cluster.node.groups import Groups
from dev.cluster.node.provider import Node
from dev.machine.place import CHECKOUT, Place


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Path:
    """A machine on which it fits: Linux, root, Go, and all programs, in that folder."""
    for name in (*provider._PROGRAMS, "unshare"):
        _program(tmp_path / name, "exit 0")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(command, "path", lambda: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "groups" / "cpu").mkdir(parents=True)
    monkeypatch.setattr(provider, "Groups", lambda name: Groups(name, tmp_path / "groups"))
    monkeypatch.setattr(space, "_BRIDGE_RULES", tmp_path)
    monkeypatch.setattr(go, "find", lambda: go.Go("go1.26.8", "linux/amd64"))
    return tmp_path


def _program(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_it_fits_a_linux_machine_with_root_and_the_programs(programs):
    assert Node().unfit() is None


def test_without_root_it_says_what_takes_root_and_what_else_there_is(programs, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    reason = str(Node().unfit())
    assert "run as root" in reason
    assert "install Docker and kind" in reason


def test_another_system_is_named(programs, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "not on darwin" in str(Node().unfit())


@pytest.mark.parametrize(
    ("missing", "line"),
    [
        (("haproxy",), "apt-get install haproxy'"),
        (("ip", "nsenter"), "apt-get install iproute2 util-linux'"),
        (tuple(provider._PROGRAMS), "apt-get install runc iptables iproute2 util-linux haproxy mmdebstrap'"),
    ],
)
def test_missing_programs_are_named_with_the_line_that_installs_them(programs, missing, line):
    for name in missing:
        (programs / name).unlink()
    assert line in str(Node().unfit())


def test_a_machine_that_allows_no_namespaces_says_so_in_its_own_words(programs):
    _program(programs / "unshare", "echo Operation not permitted >&2; exit 1")
    assert "Operation not permitted" in str(Node().unfit())


def test_a_machine_without_groups_or_bridge_rules_does_not_fit(programs, monkeypatch):
    monkeypatch.setattr(space, "_BRIDGE_RULES", programs / "nowhere")
    assert "modprobe br_netfilter" in str(Node().unfit())
    monkeypatch.setattr(space, "_BRIDGE_RULES", programs)
    monkeypatch.setattr(provider, "Groups", lambda name: Groups(name, programs / "runc"))
    assert "no control groups can be made" in str(Node().unfit())
    monkeypatch.setattr(provider, "Groups", lambda name: Groups(name, programs / "groups"))
    assert Node().unfit() is None
    assert not list((programs / "groups" / "cpu").iterdir())


def test_without_go_it_says_what_go_does(programs, monkeypatch):
    def none() -> go.Go:
        raise ClusterError("there is no `go`")

    monkeypatch.setattr(go, "find", none)
    assert Node().unfit() == "there is no `go`"


def test_up_where_it_does_not_fit_says_why_and_does_nothing(programs, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    place = Place(tmp_path / "place")
    with pytest.raises(ClusterError, match="run as root"):
        Node().up(place, lambda _: None)
    assert not place.root.exists()


def test_bootstrap_installs_what_it_needs():
    script = (CHECKOUT / "dev" / "bootstrap").read_text()
    listed = re.search(r'node_programs="([^"]*)"', script)
    assert listed
    assert dict(line.split() for line in listed[1].splitlines()) == provider._PROGRAMS


def test_its_banner_says_which_walls_are_missing_and_which_are_there():
    assert "NetworkPolicies are not enforced here" in provider.NO_POLICIES
    assert "this machine and the world they cannot reach" in provider.NO_POLICIES
