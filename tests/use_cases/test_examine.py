"""An examination reads rows and cell side by side, and reports only what stands when looked at again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import pytest

from control_plane.domain.errors import CellUnreachableError, DatabaseUnavailableError, MisconfiguredError
from control_plane.domain.invariants import catalogue
from control_plane.domain.invariants.catalogue import INVARIANTS, Part
from control_plane.domain.invariants.evidence import InCell, Namespace, Record, Stray
from control_plane.domain.invariants.findings import Report, Verdict
from control_plane.domain.invariants.limits import Limits
from control_plane.domain.rollout import COMPONENTS, Workload
from control_plane.domain.store import StoreState, namespace_of
from control_plane.ports.examination import Passes
from control_plane.use_cases.examine import Examine
from control_plane.use_cases.look import KEPT, Look
from tests.builders import PLANS
from tests.domain.test_invariants import a_row, an_entry
from tests.domain.test_invariants import in_cell as sound
from tests.fakes.examination import FakeCellExamination, FakeDatabaseExamination, FakePauses

PATIENCE = 30.0
IDS = [UUID(int=number) for number in range(1, 8)]
_S = StoreState


class Scene:
    """A platform of READY stores with nothing wrong, and hands to break it."""

    def __init__(self) -> None:
        self.database, self.cell, self.pauses = FakeDatabaseExamination(), FakeCellExamination(), FakePauses()
        for store_id in IDS:
            self.database.stores[store_id] = a_row(id=store_id)
            self.cell.there[store_id] = of(store_id)

    def examine(
        self, ids: list[UUID] | None = None, *, patience: float = PATIENCE, accepted: list[UUID] | None = None
    ) -> Report:
        verb = Examine(Look(self.database, self.cell, Limits(), PLANS), self.pauses)
        return verb(ids, accepted=accepted or [], patience=patience)

    def change(self, store_id: UUID, **changes: object) -> None:
        self.database.stores[store_id] = replace(self.database.stores[store_id], **changes)  # type: ignore[arg-type]

    def see(self, store_id: UUID, **changes: object) -> None:
        self.cell.there[store_id] = replace(self.cell.there[store_id], **changes)  # type: ignore[arg-type]

    def attempts(self, store_id: UUID, tokens: range) -> list[Callable[[], object]]:
        """Leases that are taken, one after the other."""
        return [partial(self.change, store_id, lease_token=each, newest_attempt=each) for each in tokens]

    def later(self, *happens: Callable[[], object]) -> None:
        self.pauses.during = list(happens)


def of(store_id: UUID) -> InCell:
    name, seen = namespace_of(store_id), sound()
    assert seen.namespace
    return replace(
        seen,
        store_id=store_id,
        namespace=replace(seen.namespace, store_label=str(store_id)),
        records=[Record(name, 1, "deployed", "d1")],
    )


def pods(ready: bool) -> dict[str, Workload]:
    return dict.fromkeys(COMPONENTS, Workload(1, ready, "0 of 1 pods ready"))


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize("patience", [0.0, PATIENCE])
def test_a_sound_platform_holds_and_is_looked_at_once(scene: Scene, patience: float) -> None:
    report = scene.examine(patience=patience)
    assert report.holds
    assert [each.invariant.name for each in report.invariants] == list(INVARIANTS)
    assert report.stores == len(IDS)
    assert scene.pauses.now == 0


def test_what_is_broken_and_stays_so_is_reported_of_that_store(scene: Scene) -> None:
    scene.see(IDS[3], quota=None)
    report = scene.examine()
    assert report.by_store == {IDS[3]: {catalogue.ISOLATION_STANDS}}
    assert report.violated == {catalogue.ISOLATION_STANDS}


def test_only_suspects_are_looked_at_again(scene: Scene) -> None:
    scene.see(IDS[3], quota=None)
    scene.examine()
    assert scene.database.asked == [None, [IDS[3]]]


def test_what_is_over_by_the_second_look_is_not_reported(scene: Scene) -> None:
    scene.see(IDS[3], quota=None)
    scene.later(lambda: scene.see(IDS[3], quota=sound().quota))
    assert scene.examine().holds


def test_what_somebody_works_on_is_looked_at_until_it_rests(scene: Scene) -> None:
    scene.see(IDS[3], quota=None)
    scene.later(*scene.attempts(IDS[3], range(2, 4)))
    report = scene.examine()
    assert report.by_store == {IDS[3]: {catalogue.ISOLATION_STANDS}}
    assert len(scene.database.asked) == 4  # the first, one for each change, and the one that found it at rest


def test_what_never_rests_is_unknown(scene: Scene) -> None:
    scene.see(IDS[3], quota=None)
    scene.later(*scene.attempts(IDS[3], range(2, 50)))
    report = scene.examine()
    assert not report.violated
    assert not report.holds
    (unknown,) = [each for each in report.invariants if each.verdict is Verdict.UNKNOWN]
    assert unknown.invariant.name == catalogue.ISOLATION_STANDS
    assert "look again" in unknown.reason


class TestWhatIsReconciles:
    def run_a_pass(self, scene: Scene) -> None:
        token = scene.database.passing.token + 1
        scene.database.passing = Passes(token, False, datetime(2026, 1, 1, 0, token, tzinfo=UTC))

    def test_it_counts_when_a_pass_has_left_it_as_it_is(self, scene: Scene) -> None:
        scene.see(IDS[0], workloads=pods(False))
        scene.later(lambda: None, lambda: self.run_a_pass(scene))
        assert scene.examine().by_store == {IDS[0]: {catalogue.READY_IS_TRUE}}

    def test_it_is_unknown_when_no_pass_has_looked(self, scene: Scene) -> None:
        scene.see(IDS[0], workloads=pods(False))
        report = scene.examine()
        assert not report.violated
        assert not report.holds

    def test_a_pass_that_was_running_already_may_not_have_looked(self, scene: Scene) -> None:
        scene.see(IDS[0], workloads=pods(False))
        scene.database.passing = Passes(7, True, None)
        ended = Passes(7, False, datetime(2026, 1, 1, tzinfo=UTC))
        scene.later(lambda: setattr(scene.database, "passing", ended))
        assert not scene.examine().violated

    def test_it_is_no_violation_when_the_pass_has_set_it_right(self, scene: Scene) -> None:
        scene.see(IDS[0], workloads=pods(False))

        def degrade() -> None:
            self.run_a_pass(scene)
            told = an_entry(to_state=_S.DEGRADED)
            scene.change(IDS[0], state=_S.DEGRADED, reason="0 of 1 pods ready", entry=told)

        scene.later(degrade)
        assert scene.examine().holds


class TestPartsThatDoNotAnswer:
    def test_without_the_database_only_rights_are_known(self, scene: Scene) -> None:
        scene.database.error = DatabaseUnavailableError("away")
        report = scene.examine()
        assert verdicts(report, Verdict.HOLDS) == {catalogue.RIGHTS_STAND}
        assert [(each.part, each.reason) for each in report.problems] == [(Part.DATABASE, "away")]

    @pytest.mark.parametrize("error", [CellUnreachableError("away"), MisconfiguredError("no kubeconfig")])
    def test_without_the_cell_what_the_database_tells_is_known(self, scene: Scene, error: Exception) -> None:
        scene.cell.error = error
        scene.change(IDS[1], entry=None)
        report = scene.examine()
        assert report.violated == {catalogue.ROW_MATCHES_AUDIT}
        unknown = {name for name, each in INVARIANTS.items() if each.needs - {Part.DATABASE}}
        assert verdicts(report, Verdict.UNKNOWN) == unknown

    def test_a_cell_that_stops_answering_on_the_way_takes_nothing_for_gone(self, scene: Scene) -> None:
        scene.cell.error, scene.cell.error_after = CellUnreachableError("away"), 3
        report = scene.examine()
        assert not report.violated
        assert not report.holds

    def test_what_was_found_and_cannot_be_looked_at_again_is_unknown(self, scene: Scene) -> None:
        scene.see(IDS[3], quota=None)
        scene.later(lambda: setattr(scene.cell, "error", CellUnreachableError("away")))
        report = scene.examine()
        assert verdicts(report, Verdict.UNKNOWN) == {catalogue.ISOLATION_STANDS}


def verdicts(report: Report, verdict: Verdict) -> set[str]:
    return {each.invariant.name for each in report.invariants if each.verdict is verdict}


class TestSideBySide:
    def test_a_namespace_without_a_row_before_between_and_after_the_rows(self, scene: Scene) -> None:
        strangers = {UUID(int=0), UUID(int=4), UUID(int=99)}
        del scene.database.stores[UUID(int=4)]
        for each in strangers:
            scene.cell.there[each] = of(each)
        assert scene.examine().by_store == {each: {catalogue.NO_ORPHANS} for each in strangers}

    def test_a_row_without_a_namespace_first_between_and_last(self, scene: Scene) -> None:
        for each in (IDS[0], IDS[3], IDS[-1]):
            del scene.cell.there[each]
            scene.change(each, state=_S.DEGRADED, reason="gone", entry=an_entry(to_state=_S.DEGRADED))
        assert scene.examine().by_store.keys() == {IDS[0], IDS[3], IDS[-1]}

    def test_another_cells_store_is_for_the_doctor_of_that_one(self, scene: Scene) -> None:
        other = UUID(int=50)
        row = a_row(id=other, applied_generation=0)  # due for hours, with no namespace
        scene.database.stores[other] = row
        assert scene.examine([IDS[0], other]).by_store.keys() == {other}
        scene.database.other_cells[other] = scene.database.stores.pop(other)
        assert scene.examine([IDS[0], other]).holds

    def test_what_is_here_of_another_cells_store_does_not_belong_here(self, scene: Scene) -> None:
        other = UUID(int=50)
        scene.database.other_cells[other] = a_row(id=other)
        scene.cell.there[other] = of(other)
        assert scene.examine().by_store == {other: {catalogue.NO_ORPHANS}}
        assert scene.examine([other]).by_store == {other: {catalogue.NO_ORPHANS}}

    def test_a_stray_is_reported(self, scene: Scene) -> None:
        scene.cell.strays = [Stray(IDS[0], "release store-x in namespace default", release=True)]
        assert scene.examine().by_store == {IDS[0]: {catalogue.ONE_RELEASE_PER_STORE}}

    def test_some_stores_alone(self, scene: Scene) -> None:
        for each in IDS:
            scene.see(each, quota=None)
        report = scene.examine([IDS[2], IDS[1]], patience=0.0)
        assert report.by_store.keys() == {IDS[1], IDS[2]}


def test_what_was_accepted_must_be_recorded(scene: Scene) -> None:
    lost = UUID(int=77)
    assert scene.examine(accepted=IDS).holds
    assert scene.examine(accepted=[IDS[0], lost]).by_store == {lost: {catalogue.ACCEPTED_IS_RECORDED}}


def test_without_patience_everything_counts_at_once(scene: Scene) -> None:
    scene.see(IDS[0], workloads=pods(False))
    assert scene.examine(patience=0.0).by_store == {IDS[0]: {catalogue.READY_IS_TRUE}}
    assert scene.pauses.now == 0


def test_of_many_findings_some_are_kept_and_the_rest_is_counted(scene: Scene) -> None:
    for number in range(1, KEPT + 31):
        orphan = UUID(int=1000 + number)
        scene.cell.there[orphan] = InCell(orphan, namespace=Namespace(str(orphan), False, False, {}))
    report = scene.examine()
    (judged,) = [each for each in report.invariants if each.verdict is Verdict.VIOLATED]
    assert (judged.invariant.name, len(judged.evidence), judged.more) == (catalogue.NO_ORPHANS, KEPT, 30)


def test_policies_are_looked_at_again_too(scene: Scene) -> None:
    whole = list(scene.cell.rights)
    scene.cell.rights = whole[1:]
    scene.later(lambda: setattr(scene.cell, "rights", whole))
    assert scene.examine().holds
    scene.cell.rights = whole[1:]
    assert scene.examine().violated == {catalogue.RIGHTS_STAND}
