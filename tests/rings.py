"""Run the test rings, from seconds to minutes, and say at the end what ran and what was left out.

`python -m tests.rings` runs all that this machine can; names of rings run only those. In
CI (CI=true) as root on Linux nothing may be left out: a skip there is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from dev import gateway
from dev.cluster import build
from dev.cluster.node.provider import Node
from dev.machine import emulator, postgres
from dev.machine.errors import MachineError
from dev.machine.place import Place
from dev.terraform import place as terraform
from images.build import archive
from images.definitions import DATABASE, STORE
from images.functions.definition import FUNCTIONS
from tests.browser import needs as browser
from tests.functions_image import needs as functions_image
from tests.images import needs

CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Ring:
    """Some test files, what they cover, and what they need of the machine."""

    name: str
    covers: str
    paths: tuple[str, ...]
    needs: tuple[Callable[[], str | None], ...] = ()
    makes: tuple[Callable[[], object], ...] = ()
    """What is made once on a machine and takes minutes, which no test's limit of time is meant for."""


@dataclass
class Outcome:
    """How a ring went."""

    ring: Ring
    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0.0
    left_out: str | None = None

    @property
    def good(self) -> bool:
        """Whether nothing failed and something ran."""
        return not self.failed and self.passed > 0


def _node() -> str | None:
    return Node().unfit()


def _postgres() -> str | None:
    try:
        postgres.check(Place.from_environment())
    except MachineError as error:
        return str(error)
    return None


def _go() -> str | None:
    return None if shutil.which("go") else "Go is not installed, so that no control plane can be built"


def _emulator() -> str | None:
    try:
        emulator.check(Place.from_environment())
    except MachineError as error:
        return str(error)
    return None


def _simulated() -> object:
    return build.tools(build.SIMULATED, print)


def _machine() -> object:
    return _simulated(), gateway.program(print)


def _real() -> object:
    return build.tools(build.NODE, print), archive(STORE, print), archive(DATABASE, print)


def _store() -> object:
    return archive(STORE, print), archive(DATABASE, print)


def _functions() -> object:
    return archive(FUNCTIONS, print)


def _terraform() -> object:
    schemas = [terraform.schema(provider, print) for provider in terraform.PROVIDERS]
    return (
        terraform.terraform(print),
        schemas,
        [terraform.python(name, print) for name in ("provider", "checkov")],
    )


RINGS = (
    Ring(
        "fast",
        "rules, use cases and functions on fakes",
        ("tests/domain", "tests/use_cases", "tests/functions", "tests/dev"),
    ),
    Ring(
        "adapters",
        "each adapter and its fake against one contract",
        ("tests/adapters",),
        (_postgres, _go, _emulator),
        (_simulated,),
    ),
    Ring(
        "chart",
        "what the rendered and admitted charts promise",
        ("tests/chart", "tests/platform"),
        (_go,),
        (_simulated,),
    ),
    Ring(
        "terraform",
        "the cloud in Terraform against its provider's schema, and its invariants",
        ("tests/infra",),
        (_go,),
        (_terraform,),
    ),
    Ring(
        "machine",
        "real parts started, killed, stopped",
        ("tests/machine",),
        (_postgres, _go, _emulator),
        (_machine,),
    ),
    Ring(
        "cluster",
        "the whole chain on real parts",
        ("tests/cluster",),
        (_postgres, _go, _emulator),
        (_simulated,),
    ),
    Ring(
        "browser",
        "the console in a real browser",
        ("tests/browser",),
        (_postgres, _go, _emulator, browser.missing),
        (_simulated,),
    ),
    Ring(
        "faults",
        "killed, stopped and stuck at every moment",
        ("tests/faults",),
        (_postgres, _go, _emulator),
        (_simulated,),
    ),
    Ring(
        "images",
        "the store's images and its agent, container by container",
        ("tests/images",),
        (needs.missing,),
        (_store,),
    ),
    Ring(
        "image",
        "the functions' image, as Cloud Run would run it",
        ("tests/functions_image",),
        (_postgres, _go, functions_image.missing),
        (_functions,),
    ),
    Ring(
        "node",
        "real pods on a real node",
        ("tests/node",),
        (_postgres, _go, _emulator, _node),
        (_real,),
    ),
    Ring(
        "mutations",
        "defects seeded into copies of the code",
        ("tests/mutations",),
        (_postgres, _go, _emulator),
        (_simulated,),
    ),
)


def run(ring: Ring) -> Outcome:
    """Run one ring under pytest, its output shown as it comes."""
    outcome = Outcome(ring)
    reasons = [reason for need in ring.needs if (reason := need())]
    if reasons:
        outcome.left_out = reasons[0]
        return outcome
    began = time.monotonic()
    print(f"\n== ring {ring.name}: {ring.covers}", flush=True)
    try:
        for make in ring.makes:
            make()
    except Exception as error:  # noqa: BLE001 - the other rings go on
        print(f"what it needs could not be made: {error}", flush=True)
        outcome.failed = 1
        return outcome
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *ring.paths],
            cwd=CHECKOUT,
            check=False,
        ).returncode
        _count(outcome, report)
    if code != 0 and not outcome.failed:
        outcome.failed = 1  # pytest itself did not get to the end
    outcome.seconds = time.monotonic() - began
    return outcome


def _count(outcome: Outcome, report: Path) -> None:
    if not report.exists():
        return
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - our own file
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
        elif skip is not None:
            outcome.skipped.append(f"{case.get('name')}: {skip.get('message')}")
        else:
            outcome.passed += 1


def summary(outcomes: list[Outcome], *, strict: bool) -> bool:
    """Print how the rings went; whether that is good."""
    print("\n== rings")
    good = True
    for each in outcomes:
        if each.left_out:
            print(f"{each.ring.name:10} LEFT OUT: {each.left_out}")
            good = good and not strict
            continue
        word = "passed" if each.good else "FAILED"
        counts = f"{each.passed} passed, {each.failed} failed, {len(each.skipped)} skipped"
        print(f"{each.ring.name:10} {word}: {counts}, {each.seconds:.0f} s")
        for skipped in each.skipped:
            print(f"{'':10} skipped {skipped}")
        good = good and each.good and not (strict and each.skipped)
    passed, failed = sum(each.passed for each in outcomes), sum(each.failed for each in outcomes)
    print(f"{passed} passed, {failed} failed, {sum(len(each.skipped) for each in outcomes)} skipped")
    return good


def main(names: list[str]) -> int:
    """Run the named rings, or all."""
    unknown = set(names) - {ring.name for ring in RINGS}
    if unknown:
        print(f"no such ring: {', '.join(sorted(unknown))}; there are {', '.join(r.name for r in RINGS)}")
        return 2
    strict = os.environ.get("CI") == "true" and sys.platform == "linux" and os.geteuid() == 0
    outcomes = [run(ring) for ring in RINGS if not names or ring.name in names]
    return 0 if summary(outcomes, strict=strict) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
