"""The table of verbs, tried whole: every verb in every state with every hold and every deletion asked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.domain import life
from control_plane.domain.errors import NotNowError, PlanTooSmallError, RequestError
from control_plane.domain.life import (
    POSSIBLE,
    AsBilled,
    Asked,
    BillingWish,
    ChangePlan,
    Delete,
    EndRetention,
    ForgetFormerHostname,
    Move,
    Purge,
    Rename,
    ResetPassword,
    Resume,
    Retry,
    Suspend,
    Together,
    Undelete,
    Verb,
    possible,
)
from control_plane.domain.store import MOVES, Desired, Hold, Notice, Store, StoreState
from tests.builders import PLANS, STANDARD, a_store

_S = StoreState
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
GOING = (_S.DELETING, _S.DELETED)


def asked(verb: Verb, store: Store, by: Hold) -> Asked:
    """The verb, asked so that it would change something wherever it can."""
    return {
        Verb.RENAME: Rename("Another title"),
        Verb.MOVE: Move("elsewhere", "elsewhere-1234"),
        Verb.CHANGE_PLAN: ChangePlan("business", PLANS, by),
        Verb.RESET_PASSWORD: ResetPassword(),
        Verb.SUSPEND: Suspend(by),
        Verb.RESUME: Resume(by),
        Verb.RETRY: Retry(),
        Verb.DELETE: Delete(PLANS),
        Verb.UNDELETE: Undelete(),
        Verb.PURGE: Purge(store.name),
    }[verb]


def stores() -> Iterator[Store]:
    """Each state, with each set of holds, with and without a deletion, used and never READY."""
    holds = [frozenset(each) for n in range(4) for each in itertools.combinations(Hold, n)]
    for state, held, removal_at, ready_at in itertools.product(StoreState, holds, (None, LATER), (None, NOW)):
        yield a_store(
            state=state,
            holds=held,
            removal_at=removal_at,
            ready_at=ready_at,
            desired=Desired.DELETED if state in GOING else Desired.RUNNING,
            reason="because" if state is _S.FAILED else None,
        )


def outcome(wish: Asked, store: Store) -> tuple[Store | None, str]:
    """The store that is wanted, or what the refusal says."""
    try:
        return wish(store, NOW), ""
    except NotNowError as error:
        return None, str(error)


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("by", [Hold.OWNER, Hold.OPERATOR])
def test_a_verb_that_is_possible_changes_the_store_and_any_other_nothing(verb: Verb, by: Hold) -> None:
    tried = 0
    for store in stores():
        tried += 1
        wanted, told = outcome(asked(verb, store, by), store)
        if wanted is None:
            assert verb not in possible(store, by)
            offered = possible(store, by if verb in (Verb.SUSPEND, Verb.RESUME) else Hold.OWNER)
            assert all(each in told for each in offered) or "held by" in told
            continue
        assert (wanted is not store) == (verb in possible(store, by)), store
        if wanted is store:
            continue
        moved = MOVES[store.state] | {store.state}
        assert wanted.state in moved
        # What was given up is tried again, whatever is asked of it.
        assert (store.state is _S.FAILED) <= (wanted.state in (_S.QUEUED, _S.DELETING))
        assert wanted.generation == store.generation  # whoever writes it down counts
    assert tried == 9 * 8 * 2 * 2


# Written out, so that the table cannot change unseen: what a store without holds can be asked.
_ANY = {Verb.RENAME, Verb.MOVE, Verb.CHANGE_PLAN, Verb.SUSPEND, Verb.DELETE, Verb.PURGE}
OFFERED = {
    _S.QUEUED: _ANY,
    _S.PROVISIONING: _ANY,
    _S.READY: {*_ANY, Verb.RESET_PASSWORD},
    _S.DEGRADED: {*_ANY, Verb.RESET_PASSWORD},
    _S.UPDATING: {*_ANY, Verb.RESET_PASSWORD},
    _S.SUSPENDED: _ANY,
    _S.FAILED: {*_ANY, Verb.RETRY},
    _S.DELETING: set(),
    _S.DELETED: set(),
}


@pytest.mark.parametrize("state", StoreState)
def test_what_is_offered_in_each_state(state: StoreState) -> None:
    store = a_store(state=state, ready_at=NOW)
    assert possible(store, Hold.OWNER) == OFFERED[state]
    if state in GOING:
        return
    held = replace(store, holds=frozenset({Hold.OWNER}))
    assert possible(held, Hold.OWNER) == OFFERED[state] - {Verb.SUSPEND, Verb.RESET_PASSWORD} | {Verb.RESUME}
    assert possible(held, Hold.OPERATOR) == OFFERED[state] - {Verb.RESET_PASSWORD}
    going = replace(store, removal_at=LATER)
    assert possible(going, Hold.OWNER) == OFFERED[state] - {Verb.DELETE, Verb.RESET_PASSWORD} | {
        Verb.UNDELETE
    }


def test_the_table_names_every_verb_and_nothing_is_asked_of_what_is_going() -> None:
    assert set(POSSIBLE) == set(Verb)
    assert not any(set(states) & set(GOING) for states in POSSIBLE.values())


def test_what_is_going_changes_by_nothing() -> None:
    for state in GOING:
        store = a_store(state=state, desired=Desired.DELETED, removal_at=NOW)
        assert possible(store, Hold.OWNER) == frozenset()
        unpaid = AsBilled(BillingWish(runs=False), PLANS)
        for repeated in (Delete(PLANS), Purge(store.name), EndRetention(), unpaid):
            assert repeated(store, LATER) is store


def test_a_store_runs_only_when_nobody_holds_it_and_paying_lifts_no_others_hold() -> None:
    store = a_store(state=_S.READY)
    held = Suspend(Hold.OPERATOR)(AsBilled(BillingWish(runs=False), PLANS)(store, NOW), NOW)
    assert held.holds == {Hold.BILLING, Hold.OPERATOR}
    paid = AsBilled(BillingWish(runs=True), PLANS)(held, NOW)
    assert paid.holds == {Hold.OPERATOR}
    assert not paid.runs
    with pytest.raises(NotNowError, match="held by operator"):
        Resume(Hold.OWNER)(paid, NOW)
    assert Resume(Hold.OPERATOR)(paid, NOW).runs


def test_a_deletion_waits_for_the_plans_retention_and_can_be_undone_until_then() -> None:
    store = a_store(state=_S.READY, ready_at=NOW)
    going = Delete(PLANS)(store, NOW)
    assert (going.removal_at, going.runs, going.desired) == (
        NOW + timedelta(days=STANDARD.retention_days),
        False,
        Desired.RUNNING,
    )
    assert Delete(PLANS)(going, LATER) is going
    assert Undelete()(going, LATER) == store
    assert going.removal_at
    assert EndRetention()(going, going.removal_at - timedelta(seconds=1)) is going
    gone = EndRetention()(going, going.removal_at)
    assert (gone.desired, gone.state) == (Desired.DELETED, _S.DELETING)


def test_a_plan_that_is_no_longer_there_is_kept_for_the_longest() -> None:
    going = Delete({})(a_store(state=_S.READY, ready_at=NOW), NOW)
    assert going.removal_at == NOW + timedelta(days=90)
    assert all(plan.retention_days <= 90 for plan in PLANS.values())


def test_what_nobody_ever_used_is_removed_at_once() -> None:
    gone = Delete(PLANS)(a_store(state=_S.PROVISIONING, ready_at=None), NOW)
    assert (gone.desired, gone.state, gone.removal_at) == (Desired.DELETED, _S.DELETING, None)


def test_a_purge_needs_the_stores_name() -> None:
    store = a_store(state=_S.READY, ready_at=NOW)
    with pytest.raises(RequestError, match="confirm it with the name 'pottery'"):
        Purge("poetry")(store, NOW)
    assert Purge("pottery")(store, NOW).state is _S.DELETING


def test_a_smaller_plan_is_refused_with_the_numbers() -> None:
    store = a_store(state=_S.READY, plan="business", applied_plan="business")
    with pytest.raises(PlanTooSmallError, match=r"has 10Gi for files and 10Gi .* have 40Gi and 20Gi"):
        ChangePlan("standard", PLANS)(store, NOW)
    assert ChangePlan("business", PLANS)(a_store(state=_S.READY), NOW).plan == "business"


def test_the_owner_of_a_billed_store_changes_its_plan_where_it_is_paid_for() -> None:
    store = a_store(state=_S.READY, billed=True)
    with pytest.raises(NotNowError, match="change it where it is paid for"):
        ChangePlan("business", PLANS, Hold.OWNER)(store, NOW)
    assert Verb.CHANGE_PLAN not in possible(store, Hold.OWNER)
    assert Verb.CHANGE_PLAN in possible(store, Hold.OPERATOR)
    assert ChangePlan("business", PLANS, Hold.OPERATOR)(store, NOW).plan == "business"
    assert AsBilled(BillingWish(runs=True, plan="business"), PLANS)(store, NOW).plan == "business"


def test_a_store_that_moved_and_was_deleted_ends_when_both_terms_are_over() -> None:
    moved = Move("anew", "anew-1234")(a_store(state=_S.READY, ready_at=NOW), NOW)
    for state in (_S.SUSPENDED, _S.FAILED):
        going = replace(Delete(PLANS)(moved, NOW), state=state)
        much_later = NOW + timedelta(days=400)
        ended = Together([EndRetention(), ForgetFormerHostname()])(going, much_later)
        assert (ended.desired, ended.state) == (Desired.DELETED, _S.DELETING)
        given_up = replace(moved, state=_S.FAILED)
        assert ForgetFormerHostname()(given_up, much_later) is given_up  # nobody asked for another try


def test_a_larger_plan_can_be_taken_back_until_it_was_applied() -> None:
    store = a_store(state=_S.READY, applied_plan="standard")
    asked = ChangePlan("business", PLANS)(store, NOW)
    for state in (_S.READY, _S.UPDATING, _S.FAILED):  # FAILED: no volume could be grown
        assert ChangePlan("standard", PLANS)(replace(asked, state=state), NOW).plan == "standard"
    with pytest.raises(PlanTooSmallError):
        ChangePlan("standard", PLANS)(replace(asked, applied_plan="business"), NOW)


def test_a_smaller_plan_from_billing_leaves_the_store_as_it_is() -> None:
    store = a_store(state=_S.READY, plan="business", applied_plan="business")
    assert AsBilled(BillingWish(runs=True, plan="standard"), PLANS)(store, NOW) is store
    assert AsBilled(BillingWish(runs=True, plan="business"), PLANS)(a_store(), NOW).plan == "business"


def test_a_past_due_notice_does_not_stop_the_store() -> None:
    told = AsBilled(BillingWish(runs=True, notice=Notice.PAST_DUE), PLANS)(a_store(state=_S.READY), NOW)
    assert (told.notice, told.runs) == (Notice.PAST_DUE, True)


def test_billing_ends_a_store_whatever_else_is_wanted_of_it() -> None:
    for store in stores():
        wanted = AsBilled(BillingWish(runs=False, gone=True), PLANS)(store, NOW)
        assert wanted.desired is Desired.DELETED


def test_a_moved_store_is_known_by_its_former_host_name_for_a_while() -> None:
    store = a_store(state=_S.READY, hostname="pottery-ab2c.one.shops.example:8000")
    moved = Move("anew", "anew-1234")(store, NOW)
    assert (moved.former_hostname, moved.hostname) == (store.hostname, "anew-1234.one.shops.example:8000")
    assert moved.former_until
    assert ForgetFormerHostname()(moved, NOW) is moved
    forgotten = ForgetFormerHostname()(moved, moved.former_until)
    assert forgotten == replace(moved, former_hostname=None, former_until=None)


def test_several_at_once_are_all_of_them_or_none() -> None:
    store = a_store(state=_S.READY, plan="business", applied_plan="business")
    both = Together([Rename("Anew"), ChangePlan("business", PLANS)])
    assert (both(store, NOW).title, both.action) == ("Anew", "rename asked, change-plan asked")
    with pytest.raises(PlanTooSmallError):
        Together([Rename("Anew"), ChangePlan("standard", PLANS)])(store, NOW)
    assert Together([Rename(store.title), ChangePlan("business", PLANS)])(store, NOW) is store


def test_every_verb_is_one_that_can_be_asked() -> None:
    assert {type(asked(verb, a_store(), Hold.OWNER)).__name__ for verb in Verb} <= set(vars(life))
