"""Which addresses a node gets, on a machine whose routes a stand-in for `ip` tells."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from dev.cluster.cluster import ClusterError
from dev.cluster.node import network
from dev.cluster.node.network import Block

LINK = "urumi-0123abcd"
ALL = IPv4Network("10.192.0.0/10")
BLOCKS = list(ALL.subnets(new_prefix=20))
OWN = IPv4Network("10.221.48.0/20")
"""The first one that a node with that link wants."""

Routes = Callable[..., None]


@pytest.fixture
def remembered(tmp_path) -> Path:
    return tmp_path / "addresses"


@pytest.fixture
def routes(tmp_path, monkeypatch) -> Routes:
    """Say which routes this machine has, each with its link; there is always one to the whole world."""
    folder = tmp_path / "bin"
    folder.mkdir()
    ip = folder / "ip"
    ip.write_text(f'#!/bin/sh\n[ "$*" = "-json -4 route show table all" ] || exit 9\ncat {folder}/routes\n')
    ip.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def set_routes(*wanted: tuple[str, str]) -> None:
        world = {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"}
        told = [world, *({"dst": to, "dev": link} for to, link in wanted)]
        (folder / "routes").write_text(json.dumps(told))

    set_routes()
    return set_routes


def test_a_node_wants_a_block_of_its_own_and_keeps_it(routes, remembered):
    made = network.block(remembered, LINK)
    assert made == Block(OWN)
    routes((str(made.pods), LINK), (str(made.services), LINK), (str(made.machine), LINK))
    assert network.block(remembered, LINK) == made


def test_the_one_of_last_time_is_taken_before_a_lower_one(routes, remembered):
    remembered.write_text(str(BLOCKS[5]))
    assert network.block(remembered, LINK) == Block(BLOCKS[5])


@pytest.mark.parametrize("taken", [str(BLOCKS[5]), str(BLOCKS[5][77]), str(BLOCKS[5].supernet())])
def test_one_that_somebody_else_has_meanwhile_is_left_to_them(routes, remembered, taken):
    """And no other is taken: the cluster's Services have their addresses in it."""
    remembered.write_text(str(BLOCKS[5]))
    routes((taken, "vpn0"))
    with pytest.raises(
        ClusterError, match=rf"the node's addresses {BLOCKS[5]} are used by others.*make clean"
    ):
        network.block(remembered, LINK)
    routes()
    assert network.block(remembered, LINK) == Block(BLOCKS[5])


def test_nodes_beside_each_other_share_no_address(routes, tmp_path):
    taken: list[tuple[str, str]] = []
    for number in range(40):
        file = tmp_path / f"addresses-{number}"
        made = network.block(file, LINK)  # all of them want the same one
        assert made.network == BLOCKS[(BLOCKS.index(OWN) + number) % len(BLOCKS)]
        taken += [(str(one), f"link-{number}") for one in (made.pods, made.services, made.machine)]
        routes(*taken)


def test_where_all_are_taken_that_is_said(routes, remembered):
    routes(*[(str(one), "vpn0") for one in ALL.subnets(new_prefix=16)])
    with pytest.raises(ClusterError, match=r"no free addresses in 10\.192\.0\.0/10"):
        network.block(remembered, LINK)


def test_a_wide_route_of_somebody_s_gives_way(routes, remembered):
    routes(("10.0.0.0/8", "vpn0"))
    assert network.block(remembered, LINK) == Block(OWN)


def test_what_is_remembered_and_cannot_be_read_is_forgotten(routes, remembered):
    remembered.write_text("half of a lin")
    assert network.block(remembered, LINK) == Block(OWN)


def test_pods_services_and_the_link_are_parts_of_the_block_that_do_not_overlap():
    for one in BLOCKS:
        block = Block(one)
        link = IPv4Network(f"{block.machine}/30", strict=False)
        assert {block.machine, block.node} == set(link.hosts())
        pieces = (block.pods, block.services, link)
        assert all(piece.subnet_of(one) for piece in pieces)
        assert not any(a.overlaps(b) for a in pieces for b in pieces if a is not b)


@pytest.fixture
def hands(tmp_path, monkeypatch) -> Hands:
    """Stand-ins for `ip` and `nsenter`, on a machine without the link."""
    return Hands(tmp_path, monkeypatch)


class Hands:
    """Write down how they are called, and answer what a test says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        script = (
            f'#!/bin/sh\ncd {folder}\necho "$(basename "$0") $*" >> calls\ncase "$*" in\n'
            '  *"address show"*) cat address ;;\n  *"iptables -S"*) cat rules ;;\nesac\n'
        )
        for name in ("ip", "nsenter"):
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)
        (folder / "rules").touch()
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def connect(self) -> list[str]:
        """Connect a node, and what was done for it beside looking."""
        (self.folder / "calls").unlink(missing_ok=True)
        network.connect(Block(BLOCKS[0]), LINK, 77)
        calls = (self.folder / "calls").read_text().splitlines()
        return [call for call in calls if " show " not in call and " -S " not in call]


REJECT = "iptables -A FORWARD -o machine -m conntrack --ctstate NEW -j REJECT"


def test_a_link_leads_to_the_nodes_addresses_and_nowhere_else(hands):
    calls = hands.connect()
    routes = [call for call in calls if " route " in call]
    block = Block(BLOCKS[0])
    here = [f"ip route add {to} via {block.node} dev {LINK}" for to in (block.services, block.pods)]
    # In there only Services lead to the link, so that the rules see who has none: nothing leads to the world.
    inside = f"nsenter --net=/proc/77/ns/net ip route add {block.services} dev machine"
    assert routes == [*here, inside]
    assert calls[-1] == f"nsenter --net=/proc/77/ns/net {REJECT}"


def test_a_link_that_is_there_is_kept_and_a_half_made_one_made_anew(hands):
    address = {"local": str(Block(BLOCKS[0]).machine)}
    (hands.folder / "address").write_text(json.dumps([{"addr_info": [address]}]))
    assert f"ip link delete {LINK}" in hands.connect()  # without the rule, which comes last
    (hands.folder / "rules").write_text(f"{REJECT.removeprefix('iptables ')}\n")
    assert hands.connect() == []
    address["local"] = "10.210.31.1"  # another block's
    (hands.folder / "address").write_text(json.dumps([{"addr_info": [address]}]))
    assert f"ip link delete {LINK}" in hands.connect()


def test_an_ip_that_fails_is_named_with_what_it_said(routes, remembered, tmp_path):
    (tmp_path / "bin" / "ip").write_text("#!/bin/sh\necho no such thing >&2\nexit 1\n")
    with pytest.raises(ClusterError, match=r"`ip -json -4 route show table all` failed:\nno such thing"):
        network.block(remembered, LINK)
