"""Which cluster provider this machine gets: the one asked for, else the first that fits."""

from __future__ import annotations

from dev.cluster import existing
from dev.cluster.cluster import ClusterError, Provider
from dev.cluster.existing import Existing
from dev.cluster.kind import Kind
from dev.cluster.node.provider import Node
from dev.cluster.simulated import Simulated


def choose(wanted: str | None) -> Provider:
    """The provider named `wanted`; by default the first that fits: `existing` if meant, `kind`,
    `node`, `simulated`.

    One that is asked for by name is given even where it does not fit, so that what it started can
    still be stopped; its `up` then says why it cannot. Raises ClusterError for an unknown name or
    when nothing fits.
    """
    by_name: dict[str, Provider] = {one.name: one for one in (Existing(), Kind(), Node(), Simulated())}
    if wanted:
        if wanted not in by_name:
            raise ClusterError(
                f"there is no cluster provider {wanted!r}: CLUSTER may be {', '.join(by_name)}"
            )
        return by_name[wanted]
    if existing.meant():
        return by_name["existing"]
    reasons = []
    for name in ("kind", "node", "simulated"):
        reason = by_name[name].unfit()
        if reason is None:
            return by_name[name]
        reasons.append(f"{name}: {reason}")
    raise ClusterError("no cluster provider fits this machine:\n" + "\n".join(reasons))
