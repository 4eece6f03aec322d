"""Each invariant is found to be broken by evidence that breaks it, and by no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from control_plane.domain.chart_values import made_with
from control_plane.domain.invariants import catalogue
from control_plane.domain.invariants.catalogue import INVARIANTS
from control_plane.domain.invariants.evidence import (
    Announcement,
    Attempt,
    Credentials,
    Entry,
    InCell,
    Ledger,
    Letter,
    Namespace,
    Policy,
    Quota,
    Record,
    Row,
    Step,
    Stray,
)
from control_plane.domain.invariants.findings import Finding
from control_plane.domain.invariants.histories import judge_attempts, judge_steps
from control_plane.domain.invariants.isolation import ACCESS, POLICIES, judge_rights
from control_plane.domain.invariants.limits import Limits
from control_plane.domain.invariants.platforms import attention, judge_ledger
from control_plane.domain.invariants.rows import judge_row
from control_plane.domain.invariants.stores import CLAIMS, judge_store, judge_stray, judge_unknown
from control_plane.domain.rollout import COMPONENTS, Workload
from control_plane.domain.store import MOVES, StoreState
from tests.builders import PLANS, STANDARD, STORE

_S = StoreState
NAME = f"store-{STORE}"
LIMITS = Limits()
LONG = 10_000.0


def a_row(**changes: Any) -> Row:
    """READY at generation 1, and all tables agree."""
    row = Row(
        id=STORE,
        here=True,
        state=_S.READY,
        reason=None,
        generation=1,
        applied_generation=1,
        observed_generation=1,
        plan="standard",
        made_with=made_with(STANDARD),
        runs=True,
        release_revision=1,
        release_digest="d1",
        credentials_uid="u1",
        failures=0,
        lease_token=1,
        newest_attempt=1,
        idle=LONG,
        overdue=None,
        settled=LONG,
        entry=an_entry(),
        handed_over=1,
        freed=0,
        letters=0,
    )
    return replace(row, **changes)


def an_entry(**changes: Any) -> Entry:
    return replace(Entry("observed", _S.READY, 1, 60.0, leased=False), **changes)


def in_state(state: StoreState, **changes: Any) -> Row:
    """A row whose newest audit entry says the same."""
    return a_row(**{"state": state, "entry": an_entry(to_state=state), **changes})


def a_namespace(**changes: Any) -> Namespace:
    restricted = dict.fromkeys(("enforce", "warn", "audit"), "restricted")
    return replace(Namespace(str(STORE), False, False, restricted), **changes)


def in_cell(**changes: Any) -> InCell:
    """All that a store has which is READY at generation 1."""
    seen = InCell(
        STORE,
        namespace=a_namespace(),
        workloads=dict.fromkeys(COMPONENTS, Workload(1, True, "1 of 1 pods ready")),
        records=[Record(NAME, 1, "deployed", "d1")],
        claims=CLAIMS,
        quota=Quota(STANDARD.quota, in_force=True),
        closed=True,
        bindings=[ACCESS],
        credentials=Credentials("u1", immutable=True),
    )
    return replace(seen, **changes)


def a_step(**changes: Any) -> Step:
    step = Step(_S.QUEUED, _S.QUEUED, _S.PROVISIONING, False, False, False, False, 1, [STORE])
    return replace(step, **changes)


def a_policy(name: str, **changes: Any) -> Policy:
    return replace(Policy(name, fails_closed=True, denies=True, validations=1), **changes)


def names(findings: Iterable[Finding]) -> set[str]:
    return {each.invariant for each in findings}


def judged(row: Row, seen: InCell) -> set[str]:
    return names([*judge_row(row, LIMITS), *judge_store(row, seen, PLANS)])


NOTHING = InCell(STORE)
FIRST = {"before": None, "from_state": None, "to_state": _S.QUEUED}
QUEUED_UNTOUCHED = {
    "applied_generation": 0,
    "observed_generation": 0,
    "handed_over": 0,
    "idle": -5.0,
    "credentials_uid": None,
}
LEDGER = Ledger(stores=1, unseen=1.0)
RIGHTS = {name: a_policy(name) for name in POLICIES}


class TestSound:
    def test_a_ready_store(self) -> None:
        assert judged(a_row(), in_cell()) == set()

    @pytest.mark.parametrize(
        ("row", "seen"),
        [
            (in_state(_S.QUEUED, **QUEUED_UNTOUCHED), NOTHING),
            (in_state(_S.PROVISIONING, **QUEUED_UNTOUCHED), NOTHING),
            (in_state(_S.PROVISIONING, **QUEUED_UNTOUCHED), InCell(STORE, namespace=a_namespace())),
            (in_state(_S.PROVISIONING, overdue=-60.0), in_cell(workloads={}, claims=frozenset())),
            (
                in_state(_S.PROVISIONING, overdue=-60.0),
                in_cell(records=[Record(NAME, 1, "pending-install", "")]),
            ),
            (in_state(_S.DEGRADED, reason="0 of 1 pods ready"), in_cell(workloads={})),
            (in_state(_S.FAILED, reason="quota exceeded", **QUEUED_UNTOUCHED), NOTHING),
            (in_state(_S.FAILED, reason="never ready"), in_cell(records=[Record(NAME, 1, "failed", "d1")])),
            (
                in_state(_S.DELETING, settled=5.0),
                in_cell(namespace=a_namespace(terminating=True), quota=None),
            ),
            (in_state(_S.DELETING, settled=5.0), in_cell(credentials=None)),
            (in_state(_S.DELETING, settled=LONG, reason="a finalizer"), in_cell(workloads={})),
            (in_state(_S.DELETING, applied_generation=0, handed_over=0, idle=5.0), in_cell()),
            (in_state(_S.DELETED), NOTHING),
            (
                a_row(credentials_uid=None),
                in_cell(credentials=None, records=[Record(NAME, 1, "deployed", "")]),
            ),
            (
                a_row(freed=1, release_revision=2),
                in_cell(
                    records=[Record(NAME, 1, "failed", "", marked=True), Record(NAME, 2, "deployed", "d1")]
                ),
            ),
            (a_row(newest_attempt=None), in_cell()),
        ],
        ids=lambda value: str(value.state) if isinstance(value, Row) else "",
    )
    def test_whatever_else_is_on_its_way_or_settled(self, row: Row, seen: InCell) -> None:
        assert judged(row, seen) == set()

    def test_steps_that_the_table_allows(self) -> None:
        allowed = [
            a_step(before=before, from_state=before, to_state=after)
            for before, afters in MOVES.items()
            for after in (*afters, before)
        ]
        assert names(judge_steps([a_step(**FIRST), *allowed])) == set()
        assert names(judge_attempts([Attempt(False, False, 3, [STORE])])) == set()

    def test_the_platform_around_them(self) -> None:
        quiet = Ledger(
            stores=3,
            unseen=None,
            announcements=[Announcement(STORE, False, 10.0, 100)],
            waiting_letters={"refused": 2},
        )
        assert names(judge_ledger(quiet, LIMITS)) == set()
        assert attention(quiet) == (
            "2 dead letters of the kind refused wait for an answer: `urumi queue list`",
        )
        assert names(judge_rights(RIGHTS)) == set()


BROKEN_ROWS: list[tuple[str, Row]] = [
    (catalogue.NOTHING_WAITS_FOR_EVER, in_state(_S.QUEUED, **{**QUEUED_UNTOUCHED, "idle": LONG})),
    (catalogue.NOTHING_WAITS_FOR_EVER, in_state(_S.PROVISIONING, overdue=LONG)),
    (catalogue.NOTHING_WAITS_FOR_EVER, in_state(_S.UPDATING, overdue=None)),
    (catalogue.NOTHING_WAITS_FOR_EVER, in_state(_S.DELETING, settled=LONG)),
    (catalogue.ONE_WORKER_AT_A_TIME, a_row(lease_token=2)),
    (catalogue.ROW_MATCHES_AUDIT, a_row(entry=None)),
    (catalogue.ROW_MATCHES_AUDIT, a_row(entry=an_entry(to_state=_S.PROVISIONING))),
    (catalogue.ROW_MATCHES_AUDIT, a_row(entry=an_entry(generation=2))),
    (catalogue.ROW_MATCHES_AUDIT, a_row(handed_over=0)),
    (catalogue.FAILED_SAYS_WHY, in_state(_S.FAILED)),
    (catalogue.FAILED_SAYS_WHY, in_state(_S.DEGRADED, reason="")),
    (
        catalogue.EVERY_FAILURE_IS_VISIBLE,
        in_state(_S.FAILED, reason="refused", entry=Entry("gave up", _S.FAILED, 1, 60.0, leased=True)),
    ),
    (catalogue.POISON_IS_PARKED, in_state(_S.PROVISIONING, **QUEUED_UNTOUCHED, failures=12)),
]


@pytest.mark.parametrize(("invariant", "row"), BROKEN_ROWS)
def test_a_row_that_breaks_one(invariant: str, row: Row) -> None:
    assert names(judge_row(row, LIMITS)) == {invariant}


def test_a_letter_or_an_old_failure_is_visible_enough() -> None:
    gave_up = Entry("gave up", _S.FAILED, 1, 60.0, leased=True)
    failed = in_state(_S.FAILED, reason="refused", entry=gave_up)
    assert names(judge_row(replace(failed, letters=1), LIMITS)) == set()
    a_year_ago = replace(gave_up, seconds=365 * 86400.0)
    assert names(judge_row(replace(failed, entry=a_year_ago), LIMITS)) == set()


OTHER = UUID(int=5)
BROKEN_STORES: list[tuple[str, Row, InCell]] = [
    (catalogue.ONE_RELEASE_PER_STORE, a_row(), in_cell(namespace=a_namespace(store_label=""))),
    (
        catalogue.ONE_RELEASE_PER_STORE,
        a_row(),
        in_cell(records=[Record(NAME, 1, "deployed", "d1"), Record("another", 1, "deployed", "")]),
    ),
    (catalogue.ONE_RELEASE_PER_STORE, a_row(), in_cell(records=[])),
    (
        catalogue.ONE_RELEASE_PER_STORE,
        a_row(release_revision=2),
        in_cell(records=[Record(NAME, 1, "deployed", "d0"), Record(NAME, 2, "deployed", "d1")]),
    ),
    (catalogue.ONE_RELEASE_PER_STORE, a_row(), in_cell(claims=CLAIMS - {"database-data"})),
    (
        catalogue.ONE_RELEASE_PER_STORE,
        in_state(_S.PROVISIONING, overdue=-5.0),
        in_cell(claims=CLAIMS | {"database-data-0"}),
    ),
    (catalogue.READY_IS_TRUE, a_row(observed_generation=0), in_cell()),
    (catalogue.READY_IS_TRUE, a_row(release_revision=2), in_cell()),
    (catalogue.READY_IS_TRUE, a_row(release_digest="d2"), in_cell()),
    (
        catalogue.READY_IS_TRUE,
        a_row(),
        in_cell(records=[Record(NAME, 1, "deployed", "d1"), Record(NAME, 2, "failed", "d2")]),
    ),
    (
        catalogue.READY_IS_TRUE,
        a_row(),
        in_cell(workloads={**in_cell().workloads, "database": Workload(1, False, "0 of 1 pods ready")}),
    ),
    (
        catalogue.READY_IS_TRUE,
        a_row(),
        in_cell(workloads={**in_cell().workloads, "storefront": Workload(0, True, "1 of 1 pods ready")}),
    ),
    (catalogue.READY_IS_TRUE, a_row(), in_cell(workloads={"storefront": Workload(1, True, "")})),
    (catalogue.READY_IS_TRUE, a_row(runs=False), in_cell()),
    (catalogue.SUSPENDED_IS_TRUE, in_state(_S.SUSPENDED), in_cell()),
    (
        catalogue.SUSPENDED_IS_TRUE,
        in_state(_S.SUSPENDED, runs=False),
        in_cell(workloads=dict.fromkeys(COMPONENTS, Workload(1, False, "1 of 0 pods ready"))),
    ),
    (catalogue.CREDENTIALS_KEPT, a_row(), in_cell(credentials=None)),
    (catalogue.CREDENTIALS_KEPT, a_row(), in_cell(credentials=Credentials("u2", immutable=True))),
    (catalogue.CREDENTIALS_KEPT, a_row(), in_cell(credentials=Credentials("u1", immutable=False))),
    (catalogue.DELETED_IS_GONE, in_state(_S.DELETED), in_cell()),
    (catalogue.DELETED_IS_GONE, in_state(_S.DELETED), InCell(STORE, namespace=a_namespace(terminating=True))),
    (catalogue.DELETED_IS_GONE, in_state(_S.DELETED), InCell(STORE, claims=CLAIMS)),
    (catalogue.DELETED_IS_GONE, in_state(_S.DELETED), InCell(STORE, records=in_cell().records)),
    (catalogue.NO_ORPHANS, in_state(_S.DEGRADED, reason="its namespace is gone"), NOTHING),
    (catalogue.NO_ORPHANS, in_state(_S.PROVISIONING, overdue=-5.0), NOTHING),
    (
        catalogue.ISOLATION_STANDS,
        a_row(),
        in_cell(namespace=a_namespace(pod_security={"enforce": "restricted"})),
    ),
    (catalogue.ISOLATION_STANDS, a_row(), in_cell(quota=None)),
    (catalogue.ISOLATION_STANDS, a_row(), in_cell(quota=Quota(STANDARD.quota, in_force=False))),
    (
        catalogue.ISOLATION_STANDS,
        a_row(),
        in_cell(quota=Quota({**STANDARD.quota, "pods": "99"}, in_force=True)),
    ),
    (catalogue.ISOLATION_STANDS, a_row(), in_cell(closed=False)),
    (catalogue.ISOLATION_STANDS, a_row(), in_cell(bindings=[])),
    (catalogue.ISOLATION_STANDS, a_row(), in_cell(bindings=[ACCESS, "friend to cluster-admin"])),
    (catalogue.ISOLATION_STANDS, in_state(_S.PROVISIONING, **QUEUED_UNTOUCHED), in_cell(quota=None)),
    (
        catalogue.RELEASES_FREED_UNDER_LEASE,
        a_row(release_revision=2),
        in_cell(records=[Record(NAME, 1, "failed", "", marked=True), Record(NAME, 2, "deployed", "d1")]),
    ),
]


@pytest.mark.parametrize(("invariant", "row", "seen"), BROKEN_STORES)
def test_a_store_that_breaks_one(invariant: str, row: Row, seen: InCell) -> None:
    assert judged(row, seen) == {invariant}


def test_a_ready_store_without_its_namespace_breaks_two() -> None:
    assert judged(a_row(), NOTHING) == {catalogue.NO_ORPHANS, catalogue.READY_IS_TRUE}


@pytest.mark.parametrize(
    "seen",
    [
        in_cell(workloads={}),
        in_cell(workloads=dict.fromkeys(COMPONENTS, Workload(1, False, "0 of 1 pods ready"))),
        NOTHING,
    ],
)
def test_pods_that_went_bad_count_once_reconcile_had_its_chance(seen: InCell) -> None:
    found_all = judge_store(a_row(), seen, PLANS)
    (found,) = [each for each in found_all if each.invariant == catalogue.READY_IS_TRUE]
    assert found.after_pass


@pytest.mark.parametrize(
    "seen",
    [in_cell(), InCell(STORE, namespace=a_namespace(quarantined=True)), InCell(STORE, claims=CLAIMS)],
)
def test_what_nobody_knows_is_an_orphan(seen: InCell) -> None:
    assert names(judge_unknown(seen)) == {catalogue.NO_ORPHANS}
    assert list(judge_unknown(NOTHING)) == []


def test_a_stray_is_told_by_its_place() -> None:
    release = judge_stray(Stray(STORE, f"release {NAME} in namespace default", release=True))
    namespace = judge_stray(Stray(STORE, f"namespace default labelled as store {STORE}", release=False))
    assert (release.invariant, namespace.invariant) == (
        catalogue.ONE_RELEASE_PER_STORE,
        catalogue.NO_ORPHANS,
    )
    assert {release.store_id, namespace.store_id} == {STORE}


@pytest.mark.parametrize(
    ("invariant", "step"),
    [
        (catalogue.ONLY_ALLOWED_MOVES, a_step(before=None)),
        (catalogue.ONLY_ALLOWED_MOVES, a_step(**{**FIRST, "to_state": _S.READY})),
        (catalogue.ONLY_ALLOWED_MOVES, a_step(before=_S.READY)),
        (catalogue.ONLY_ALLOWED_MOVES, a_step(from_state=None)),
        (catalogue.ONLY_ALLOWED_MOVES, a_step(to_state=_S.READY)),
        (catalogue.ONLY_ALLOWED_MOVES, a_step(before=_S.DELETED, from_state=_S.DELETED, to_state=_S.READY)),
        (catalogue.ONLY_ALLOWED_MOVES, a_step(generation_fell=True)),
        (catalogue.ANNOUNCED_WITH_ITS_INTENT, a_step(**FIRST, unannounced=True)),
        (catalogue.ONE_WORKER_AT_A_TIME, a_step(fenced_off=True)),
        (catalogue.FAILED_SAYS_WHY, a_step(to_state=_S.FAILED, unexplained=True)),
    ],
)
def test_a_step_that_breaks_one(invariant: str, step: Step) -> None:
    found = list(judge_steps([a_step(**FIRST), step]))
    assert names(found) == {invariant}
    assert found[0].store_id == STORE


@pytest.mark.parametrize("attempt", [Attempt(True, False, 1, [STORE]), Attempt(False, True, 1, [STORE])])
def test_an_attempt_that_breaks_one(attempt: Attempt) -> None:
    assert names(judge_attempts([attempt])) == {catalogue.ONE_WORKER_AT_A_TIME}


@pytest.mark.parametrize(
    ("invariant", "ledger"),
    [
        (catalogue.NOTHING_WAITS_FOR_EVER, replace(LEDGER, unseen=LONG)),
        (
            catalogue.NOTHING_WAITS_FOR_EVER,
            replace(LEDGER, announcements=[Announcement(STORE, False, LONG, 1)]),
        ),
        (catalogue.ACCEPTED_IS_RECORDED, replace(LEDGER, announcements=[Announcement(STORE, True, 0.0, 1)])),
        (catalogue.ACCEPTED_IS_RECORDED, replace(LEDGER, unrecorded=[STORE])),
        (catalogue.ACCEPTED_IS_RECORDED, replace(LEDGER, letters=[Letter("m 1", STORE, True, False, 1)])),
        (catalogue.POISON_IS_PARKED, replace(LEDGER, announcements=[Announcement(STORE, False, 0.0, 1001)])),
        (catalogue.POISON_IS_PARKED, replace(LEDGER, letters=[Letter("m 1", None, False, False, 11)])),
    ],
)
def test_a_ledger_that_breaks_one(invariant: str, ledger: Ledger) -> None:
    assert names(judge_ledger(ledger, LIMITS)) == {invariant}


@pytest.mark.parametrize(
    "weaken",
    [
        lambda policy: None,
        lambda policy: replace(policy, fails_closed=False),
        lambda policy: replace(policy, denies=False),
        lambda policy: replace(policy, validations=0),
    ],
)
def test_each_policy_that_is_weakened_or_gone(weaken: Callable[[Policy], Policy | None]) -> None:
    for name in POLICIES:
        left = {**RIGHTS, name: weaken(RIGHTS[name])}
        found = list(judge_rights({key: each for key, each in left.items() if each}))
        assert [(each.invariant, each.subject) for each in found] == [
            (catalogue.RIGHTS_STAND, f"policy {name}")
        ]


def test_every_invariant_is_broken_by_some_test_here() -> None:
    broken = {each[0] for each in (*BROKEN_ROWS, *BROKEN_STORES)} | {
        catalogue.ONLY_ALLOWED_MOVES,
        catalogue.ANNOUNCED_WITH_ITS_INTENT,
        catalogue.ACCEPTED_IS_RECORDED,
        catalogue.RIGHTS_STAND,
    }
    assert broken == set(INVARIANTS)
