"""How long a store's first boot takes on this machine, by which steps, and what no boot can avoid.

`python -m bench.first_boot [--stores 20]`, as root, with what provider `node` needs. Everything runs in a
place of its own, which is stopped and removed at the end. Figures, no assertions.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import yaml

from bench import figures, memory, parts, steps
from bench.boot import Boots
from bench.witnesses import Runtime
from dev.cluster.node.space import Space, entering
from dev.cluster.store_images import StoreImages
from dev.machine import machine
from tests import places
from tests.cluster.world import World
from tests.images.shop import Roots

_IDLE = 20.0  # seconds from READY to the look at its memory
_ELSEWHERE = ("KUBECONFIG", "DATABASE_URL", "URUMI_UNSAFE_FAST")


def main() -> None:
    """Create stores one after the other, and print what was seen."""
    wanted = argparse.ArgumentParser(prog="bench.first_boot", description=__doc__)
    wanted.add_argument("--stores", type=int, default=20, help="how many, one after the other (default 20)")
    count = max(1, wanted.parse_args().stores)
    if os.geteuid() != 0:
        raise SystemExit("provider `node` needs root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ["CLUSTER"] = "node"
    for name in _ELSEWHERE:
        os.environ.pop(name, None)
    _say(f"load at the beginning: {_load()}")
    images = StoreImages.from_environment(_say)
    with parts.unpacked(images.archives) as roots, _a_world() as world:
        _say("", *_versions(world, roots), *(f"image {path.name}" for path in images.archives.values()))
        _say(f"plugins: {', '.join(images.plugins) or 'none'}", "")
        _Measuring(world, roots, images.plugins).run(count)
    _say("", f"load at the end: {_load()}")


class _Measuring:
    """The boots and, between them, the parts alone, so that both have the same machine."""

    def __init__(self, world: World, roots: Roots, plugins: Sequence[str]) -> None:
        self._world = world
        self._roots = roots
        self._plugins = plugins
        self._first = Space(world.place, "").first_process() or sys.exit("the node has ended")
        self._entering = entering(self._first)
        kubelet = yaml.safe_load((world.place.data / "node/kubelet.yaml").read_text())
        self._group = kubelet["cgroupRoot"]

    def run(self, count: int) -> None:
        rows: list[figures.Row] = []
        alone: list[dict[str, float]] = []
        with Runtime(self._entering, self._first) as runtime:
            boots = Boots(self._world, runtime)
            for number in range(1, count + 1):
                boot = boots.boot()
                row = steps.rows(boot)
                rows.append(row)
                _say(f"store {number}: {_said(row[steps.WHOLE])} s, load {_load()}")
                idle = self._memory(boots.pods(boot.id), runtime) if number == count else []
                boots.remove(boot.id)
                alone.append(self._alone())
        self._print(rows, alone)
        _say(*idle)

    def _alone(self) -> dict[str, float]:
        took = parts.once(self._roots, self._plugins)
        took[parts.CONTAINER] = parts.container_start(self._entering, self._group)
        return took

    def _print(self, rows: Sequence[figures.Row], alone: Sequence[dict[str, float]]) -> None:
        names = (*steps.WHOLES, *steps.STEPS, *steps.DETAILS)
        _say("", f"FIRST BOOT of {len(rows)} stores; the first one is the cold one")
        _say(*figures.table(names, rows[0], rows[1:]))
        for whole in steps.WHOLES:
            far = figures.outliers(rows, whole, steps.STEPS)
            _say("", f"far above the median of '{whole}':", *(far or ["none"]))
        _say("", f"THE PARTS ALONE, without a CPU limit, {len(alone)} times, side by side with the stores")
        _say(f"{'seconds':<58}{'median':>7}{'min':>7}{'max':>7}")
        for name in (*parts.UNAVOIDABLE, *parts.DETAILS):
            each = [one[name] for one in alone]
            _say(f"{name:<58}{statistics.median(each):7.2f}{min(each):7.2f}{max(each):7.2f}")
        sums = [sum(one[name] for name in parts.UNAVOIDABLE) for one in alone]
        _say(f"{'sum of the five':<58}{statistics.median(sums):7.2f}{min(sums):7.2f}{max(sums):7.2f}")
        pairs = zip(rows, sums, strict=True)
        ratios = [took / total for row, total in pairs if (took := row[steps.FROM_HELM]) is not None]
        _say("", f"RATIO ({steps.FROM_HELM}) / sum, each store by its own parts (goal 1.3)")
        for label, some in (("cold", ratios[:1]), ("warm", ratios[1:])):
            if some:
                _say(f"{label}: median {statistics.median(some):.2f}, {min(some):.2f} to {max(some):.2f}")

    def _memory(self, pods: Sequence[dict[str, object]], runtime: Runtime) -> list[str]:
        time.sleep(_IDLE)
        found = memory.of_pods(pods)
        uids = {pod["metadata"]["uid"] for pod in pods}  # type: ignore[index]
        sandboxes = [container for container, life in runtime.lives.items() if life.pod in uids]
        return [
            "",
            f"MEMORY of a READY store, {_IDLE:.0f} s later, MiB (goal: under 200)",
            *(f"{name:<58}{mib:7.1f}" for name, mib in found.items()),
            f"{'PSS of all its processes':<58}{sum(found.values()):7.1f}",
            f"{'control groups, usage without cache':<58}{memory.of_groups(pods):7.1f}",
            f"{'beside that, PSS of the containerd shims':<58}{memory.of_shims(sandboxes):7.1f}",
        ]


@contextmanager
def _a_world() -> Iterator[World]:
    place = places.fresh()
    try:
        with closing(World(place, machine.up(place, _say))) as world:
            yield world
    finally:
        before = {one: signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM)}
        places.remove(place)
        for one, how in before.items():
            signal.signal(one, how)


def _versions(world: World, roots: Roots) -> Iterator[str]:
    (node,) = [item for page in world.cluster.pages("/api/v1/nodes") for item in page["items"]]
    info = node["status"]["nodeInfo"]
    yield f"kernel {info['kernelVersion']}, {os.cpu_count()} cores, {_memory_of_machine()} MiB"
    yield f"kubelet {info['kubeletVersion']}, {info['containerRuntimeVersion']}"
    yield f"{_first_line('runc', '--version')}, Python {sys.version.split()[0]}"
    yield f"helm {_first_line(world.values['URUMI_HELM'], 'version', '--short')}"
    for root, names in (
        (roots.store, ("apache2 ", "php8", "wordpress")),
        (roots.database, ("mariadb-server",)),
    ):
        yield from _packages(root, names)


def _packages(root: Path, names: Sequence[str]) -> Iterator[str]:
    listed = (root / "usr/local/share/urumi/packages.txt").read_text().splitlines()
    found = [" ".join(line.split()) for line in listed if line.replace("\t", " ").startswith(tuple(names))]
    yield ", ".join(found)


def _memory_of_machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2


def _first_line(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def _load() -> str:
    return ", ".join(f"{one:.2f}" for one in os.getloadavg())


def _said(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:.2f}"


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
