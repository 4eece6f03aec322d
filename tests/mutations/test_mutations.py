"""Each seeded defect is named by the doctor, and the sound code in the same scenario by none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from dev.machine.place import CHECKOUT
from tests.cluster.world import World
from tests.faults.hands import Hands, hands, rest
from tests.mutations.conftest import TABLE
from tests.mutations.defects import DEFECTS, Defect
from tests.mutations.scenarios import Scene, announced_but_never_recorded

AT_ONCE = 6  # scenarios; most of them wait for a lease


@dataclass(frozen=True)
class Outcome:
    """What the doctor named of the store of each scenario: with the defect, and without."""

    defective: frozenset[str]
    sound: frozenset[str]


@dataclass(frozen=True)
class Played:
    """The store of a scenario, empty where there is none, in a cell of its own."""

    cell: str
    store_id: str


@pytest.fixture(scope="module")
def outcomes(whole: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """All scenarios, side by side, and an examination of each at the end."""
    folder = tmp_path_factory.mktemp("mutations")
    whole.up()
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as threads:
        sound = stack.enter_context(hands(whole, _folder(folder / "sound")))
        copies = {each.name: stack.enter_context(_defective(whole, each, folder)) for each in DEFECTS}

        def play(defect: Defect, mine: Hands) -> Played:
            cell = f"cell-{uuid4().hex[:8]}"
            whole.sql("INSERT INTO cells (id, name) VALUES (gen_random_uuid(), :name)", name=cell)
            return Played(cell, defect.scenario(Scene(whole, mine.in_cell(cell))))

        def play_both(defect: Defect) -> tuple[Played, Played]:
            return play(defect, copies[defect.name]), play(defect, sound)

        # What was said reaches the sound provision; all the others would have it interfere.
        first = [each for each in DEFECTS if each.scenario is announced_but_never_recorded]
        stores = {each.name: play_both(each) for each in first}
        rest(whole)
        others = [each for each in DEFECTS if each not in first]
        stores |= dict(zip([each.name for each in others], threads.map(play_both, others), strict=True))

        def named(played: Played) -> frozenset[str]:
            if not played.store_id:
                return frozenset()
            report = whole.examine([played.store_id], cell=played.cell)
            assert not report.problems
            return report.by_store.get(UUID(played.store_id), frozenset())

        yield {name: Outcome(named(defective), named(plain)) for name, (defective, plain) in stores.items()}


@pytest.mark.parametrize("defect", DEFECTS, ids=[each.name for each in DEFECTS])
def test_the_doctor_names_it(
    outcomes: dict[str, Outcome], defect: Defect, pytestconfig: pytest.Config
) -> None:
    outcome = outcomes[defect.name]
    named = ", ".join(sorted(outcome.defective)) or "nothing"
    verdict = "caught" if defect.invariant in outcome.defective else "NOT CAUGHT"
    line = f"{defect.name:38} {verdict:10} by {defect.invariant:28} (named: {named})"
    pytestconfig.stash.setdefault(TABLE, []).append(line)
    assert defect.invariant in outcome.defective
    assert outcome.sound == frozenset()


def _defective(world: World, defect: Defect, folder: Path) -> AbstractContextManager[Hands]:
    copy = folder / uuid4().hex
    shutil.copytree(
        CHECKOUT / "control_plane", copy / "control_plane", ignore=shutil.ignore_patterns("__pycache__")
    )
    for edit in defect.edits:
        edit.apply(copy)
    return hands(world, _folder(copy / "reports"), copy)


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path
