"""The addresses of a node: a block of its own, and the link between it and this machine.

Nothing else of the machine's network changes: the node has a network namespace to itself, with its own
rules, bridge and routes. The link is the only thing to be seen from outside, and it ends with the namespace.
"""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from dev.cluster.cluster import ClusterError
from dev.cluster.command import run
from dev.machine.private_files import write_private

_ALL = IPv4Network("10.192.0.0/10")
_SIZE = 20  # prefix length of one node's block
_WIDE = 16  # routes to wider networks, such as a VPN's, give way to a node's narrow ones


@dataclass(frozen=True)
class Block:
    """The addresses of one node."""

    network: IPv4Network

    @property
    def pods(self) -> IPv4Network:
        return next(self.network.subnets(new_prefix=_SIZE + 1))

    @property
    def services(self) -> IPv4Network:
        return list(self.network.subnets(new_prefix=_SIZE + 2))[2]

    @property
    def machine(self) -> IPv4Address:
        """This machine's end of the link."""
        return self._link[1]

    @property
    def node(self) -> IPv4Address:
        """The node's end of the link, and its address as a node."""
        return self._link[2]

    @property
    def _link(self) -> IPv4Network:
        return IPv4Network(f"{self.network[-256]}/30")


def block(remembered: Path, link: str) -> Block:
    """The node's block, remembered in that file: one that nobody uses and no other node is likely to want.

    Raises ClusterError, also if somebody else uses the remembered one by now: Services keep their addresses.
    """
    taken = _taken(link)
    last = _last(remembered)
    for candidate in last or _preferred(link):
        if not any(candidate.overlaps(one) for one in taken):
            if not last:
                write_private(remembered, str(candidate))
            return Block(candidate)
    wanted = f"the node's addresses {last[0]} are used by others" if last else f"no free addresses in {_ALL}"
    raise ClusterError(
        f"{wanted}: `ip route show table all` shows by whom; free them, or begin anew: `make clean`"
    )


def connect(block: Block, link: str, process: int) -> None:
    """Link this machine with the network namespace of that process, if that is not so already.

    Raises ClusterError.
    """
    if not _connected(block, link, process):
        disconnect(link)
        inside = ("nsenter", f"--net=/proc/{process}/ns/net")
        for command in (
            ("ip", "link", "add", link, "type", "veth", "peer", "name", "machine", "netns", str(process)),
            ("ip", "address", "add", f"{block.machine}/30", "dev", link),
            ("ip", "link", "set", link, "up"),
            (*inside, "ip", "address", "add", f"{block.node}/30", "dev", "machine"),
            (*inside, "ip", "link", "set", "machine", "up"),
            ("ip", "route", "add", str(block.services), "via", str(block.node), "dev", link),
            ("ip", "route", "add", str(block.pods), "via", str(block.node), "dev", link),
            # Rules refuse at once whoever calls a Service without pods; without a route the kernel would,
            # and only once a second.
            (*inside, "ip", "route", "add", str(block.services), "dev", "machine"),
            # Pods answer whom this machine's side calls, and call nobody there: not even by accident.
            (*inside, "iptables", "-A", "FORWARD", "-o", "machine", "-m", "conntrack", "--ctstate", "NEW",
             "-j", "REJECT"),
        ):  # fmt: skip
            run(*command)


def disconnect(link: str) -> None:
    """Remove the link, if the namespace at its other end has not yet taken it along."""
    with suppress(ClusterError):
        run("ip", "link", "delete", link)


def _connected(block: Block, link: str, process: int) -> bool:
    inside = ("nsenter", f"--net=/proc/{process}/ns/net")
    try:
        found = json.loads(run("ip", "-json", "address", "show", "dev", link))
        rules = run(*inside, "iptables", "-S", "FORWARD")
    except ClusterError:
        return False
    addresses = [address.get("local") for one in found for address in one.get("addr_info", [])]
    return str(block.machine) in addresses and "-o machine" in rules  # the last step


def _preferred(link: str) -> list[IPv4Network]:
    """All blocks, from one on that the name decides: a node that is stopped finds its own free again."""
    blocks = list(_ALL.subnets(new_prefix=_SIZE))
    first = zlib.crc32(link.encode()) % len(blocks)
    return blocks[first:] + blocks[:first]


def _last(file: Path) -> list[IPv4Network]:
    try:
        return [IPv4Network(file.read_text().strip())]
    except (FileNotFoundError, ValueError):
        return []


def _taken(but: str) -> list[IPv4Network]:
    """What this machine has addresses or routes for, apart from that link's."""
    networks = [
        IPv4Network(route["dst"], strict=False)
        for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all"))
        if route["dst"] != "default" and route.get("dev") != but
    ]
    return [one for one in networks if one.prefixlen >= _WIDE]
