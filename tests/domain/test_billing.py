"""Facts fold into the same state in any order, and the table of what a state means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.billing import (
    STRIPE,
    Consequence,
    Fact,
    FactKind,
    NextStep,
    StoreOrder,
    Subscription,
    SubscriptionStatus,
    fold,
    learned,
    meaning,
    next_step,
    plan_of,
)
from control_plane.domain.life import BillingWish
from control_plane.domain.store import Notice
from control_plane.plan_file import plans

K, S = FactKind, SubscriptionStatus
BEGUN = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PLAN = plans().stores["standard"].model_copy(update={"trial_days": 14, "grace_days": 7, "retention_days": 30})
ORDER = StoreOrder("teapots", "Teapots", "anna@example.com")


def at(day: float) -> datetime:
    return BEGUN + day * DAY


def a_fact(kind: FactKind, day: float = 0, event: str = "e", **more: object) -> Fact:
    fact = Fact("billing", event, kind, "sub_1", "cus_1", at(day), fingerprint=event)
    return replace(fact, **more)


def folded(*history: tuple[FactKind, float]) -> Subscription:
    return fold(a_fact(kind, day, f"e{number}") for number, (kind, day) in enumerate(history))


@pytest.mark.parametrize(
    ("history", "status", "since"),
    [
        ([], S.NOT_BEGUN, None),
        ([(K.PLAN_CHANGED, 0), (K.REFUNDED, 1), (K.TRIAL_WILL_END, 2)], S.NOT_BEGUN, None),
        ([(K.TRIAL_STARTED, 0)], S.TRIALING, 0),
        ([(K.TRIAL_STARTED, 0), (K.ACTIVATED, 14)], S.ACTIVE, 14),
        ([(K.ACTIVATED, 0), (K.ACTIVATED, 30)], S.ACTIVE, 0),
        ([(K.ACTIVATED, 0), (K.REFUNDED, 3)], S.ACTIVE, 0),
        ([(K.ACTIVATED, 0), (K.PLAN_CHANGED, 3)], S.ACTIVE, 0),
        ([(K.ACTIVATED, 0), (K.PAST_DUE, 30), (K.PAST_DUE, 33)], S.PAST_DUE, 30),
        ([(K.ACTIVATED, 0), (K.PAST_DUE, 30), (K.RECOVERED, 33), (K.PAST_DUE, 60)], S.PAST_DUE, 60),
        ([(K.ACTIVATED, 0), (K.PAUSED, 5), (K.RECOVERED, 9)], S.ACTIVE, 9),
        ([(K.TRIAL_STARTED, 0), (K.PAUSED, 14)], S.PAUSED, 14),
        ([(K.ACTIVATED, 0), (K.CANCELED, 5), (K.EXPIRED, 6)], S.CANCELED, 5),
        ([(K.ACTIVATED, 0), (K.EXPIRED, 5), (K.CANCELED, 6)], S.EXPIRED, 5),
        *(
            ([(K.ACTIVATED, 0), (K.CANCELED, 5), (kind, 6)], S.CANCELED, 5)
            for kind in K
            if kind not in (K.ACTIVATED, K.RECOVERED, K.CANCELED, K.EXPIRED)
        ),
        ([(K.ACTIVATED, 0), (K.CANCELED, 5), (K.ACTIVATED, 6)], S.ACTIVE, 6),
        ([(K.ACTIVATED, 0), (K.EXPIRED, 5), (K.RECOVERED, 6)], S.ACTIVE, 6),
    ],
)
def test_what_a_history_adds_up_to(
    history: list[tuple[FactKind, float]], status: SubscriptionStatus, since: float | None
) -> None:
    found = folded(*history)
    assert (found.status, found.since) == (status, None if since is None else at(since))


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (K.TRIAL_STARTED, K.ACTIVATED, S.ACTIVE),
        (K.ACTIVATED, K.PAST_DUE, S.PAST_DUE),
        (K.PAST_DUE, K.RECOVERED, S.ACTIVE),
        (K.PAUSED, K.RECOVERED, S.ACTIVE),
        (K.ACTIVATED, K.CANCELED, S.CANCELED),
        (K.RECOVERED, K.CANCELED, S.CANCELED),
        (K.RECOVERED, K.EXPIRED, S.EXPIRED),
    ],
)
@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
def test_in_one_second_the_rank_decides_and_not_the_id(
    first: FactKind, second: FactKind, status: SubscriptionStatus, ids: tuple[str, str]
) -> None:
    facts = [a_fact(first, event=ids[0]), a_fact(second, event=ids[1])]
    assert fold(facts).status is status
    assert fold(facts[::-1]).status is status


@pytest.mark.parametrize("ended", [K.CANCELED, K.EXPIRED])
@pytest.mark.parametrize("paid", [K.RECOVERED, K.ACTIVATED])
def test_stripe_never_brings_back_what_has_ended_and_others_do(ended: FactKind, paid: FactKind) -> None:
    def state(source: str) -> Subscription:
        history = ((K.ACTIVATED, 0), (ended, 5), (paid, 6))
        return fold(a_fact(kind, day, f"e{day}", source=source) for kind, day in history)

    assert (state("billing").status, state("billing").since) == (S.ACTIVE, at(6))
    assert (state(STRIPE).status, state(STRIPE).since) == (S(ended.value), at(5))


def test_what_is_paused_goes_on_with_stripe_too() -> None:
    facts = [a_fact(K.PAUSED, source=STRIPE), a_fact(K.RECOVERED, 1, "e1", source=STRIPE)]
    assert fold(facts).status is S.ACTIVE


def test_a_late_change_of_plan_is_not_lost() -> None:
    changed = a_fact(K.PLAN_CHANGED, 5, "e1", plan="business")
    later = a_fact(K.PAST_DUE, 30, "e2")
    assert fold([a_fact(K.ACTIVATED, plan="standard"), later, changed]).plan == "business"
    assert fold([changed, later, a_fact(K.ACTIVATED, 6, "e3", plan="standard")]).plan == "standard"


def test_a_trial_ends_when_it_was_said_last() -> None:
    started = a_fact(K.TRIAL_STARTED, trial_ends_at=at(10))
    assert fold([started]).trial_ends_at == at(10)
    assert fold([a_fact(K.TRIAL_WILL_END, 7, trial_ends_at=at(12)), started]).trial_ends_at == at(12)
    assert fold([a_fact(K.TRIAL_WILL_END, 7), started]).trial_ends_at == at(10)
    assert fold([started, a_fact(K.ACTIVATED, 1)]).trial_ends_at is None


FACTS = st.lists(
    st.builds(
        a_fact,
        st.sampled_from(K),
        st.integers(0, 6),  # few moments, so that many facts share one
        st.integers(0, 999).map(str),
        plan=st.sampled_from([None, "standard", "business"]),
        trial_ends_at=st.sampled_from([None, at(3), at(9)]),
        store=st.sampled_from([None, ORDER, replace(ORDER, name="cups")]),
        source=st.sampled_from(["billing", STRIPE]),
    ),
    max_size=12,
    unique_by=lambda fact: fact.event_id,
)


@given(FACTS, st.data())
def test_any_order_with_any_repetitions_ends_in_the_state_of_the_sorted_history(
    facts: list[Fact], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(facts))) if facts else []
    mixed = data.draw(st.permutations([*facts, *again]))
    assert fold(mixed) == fold(sorted(facts, key=lambda fact: fact.place))


@given(FACTS, st.data())
def test_facts_that_come_one_by_one_end_there_too_and_each_status_is_learned_of_once(
    facts: list[Fact], data: st.DataObject
) -> None:
    """As they are recorded: each with a fold of all that are known by then."""
    arrived = data.draw(st.permutations(facts))
    kept, seen = Subscription(), {}
    for number in range(len(arrived)):
        now = at(100 + number)
        kept = learned(fold(arrived[: number + 1]), kept, now)
        what = "ended" if kept.status.ended else kept.status
        seen = {what: seen.get(what, now)}  # of what it was before nothing is remembered
        assert kept.known_at == seen[what]
        assert learned(kept, kept, at(999)).known_at == kept.known_at
    assert kept == fold(facts)


RUNS, NOTICE = BillingWish(runs=True), BillingWish(runs=True, notice=Notice.PAST_DUE)
HELD, GONE = BillingWish(runs=False), BillingWish(runs=False, gone=True)


@pytest.mark.parametrize(
    ("history", "day", "wish", "deadline"),
    [
        ([], 0, RUNS, None),
        ([(K.TRIAL_STARTED, 0)], 13.9, RUNS, 14),
        ([(K.TRIAL_STARTED, 0)], 14, NOTICE, 21),
        ([(K.TRIAL_STARTED, 0)], 20.9, NOTICE, 21),
        ([(K.TRIAL_STARTED, 0)], 21, HELD, None),
        ([(K.ACTIVATED, 0)], 3000, RUNS, None),
        ([(K.PAST_DUE, 0)], 6.9, NOTICE, 7),
        ([(K.PAST_DUE, 0)], 7, HELD, None),
        ([(K.PAST_DUE, 0)], 3000, HELD, None),
        ([(K.PAUSED, 0)], 3000, HELD, None),
        *(
            ([(kind, 0)], day, wish, deadline)
            for kind in (K.CANCELED, K.EXPIRED)
            for day, wish, deadline in ((29.9, HELD, 30), (30, GONE, None))
        ),
    ],
)
def test_what_a_state_means(
    history: list[tuple[FactKind, float]], day: float, wish: BillingWish, deadline: float | None
) -> None:
    assert meaning(folded(*history), PLAN, at(day)) == (wish, None if deadline is None else at(deadline))


@pytest.mark.parametrize(
    ("history", "day", "deadline", "then"),
    [
        ([(K.TRIAL_STARTED, 0)], 13.9, 14, Consequence.NOTICE),
        ([(K.TRIAL_STARTED, 0)], 14, 21, Consequence.SUSPENDED),
        ([(K.PAST_DUE, 0)], 0, 7, Consequence.SUSPENDED),
        ([(K.CANCELED, 0)], 29.9, 30, Consequence.REMOVED),
        ([(K.EXPIRED, 0)], 0, 30, Consequence.REMOVED),
    ],
)
def test_what_comes_next(
    history: list[tuple[FactKind, float]], day: float, deadline: float, then: Consequence
) -> None:
    assert next_step(folded(*history), PLAN, at(day)) == NextStep(at(deadline), then)


@pytest.mark.parametrize(
    ("kind", "day"),
    [(None, 0), (K.ACTIVATED, 0), (K.PAUSED, 0), (K.TRIAL_STARTED, 21), (K.PAST_DUE, 7), (K.CANCELED, 30)],
)
def test_nothing_comes_next_where_time_alone_changes_nothing(kind: FactKind | None, day: float) -> None:
    assert next_step(folded(*([(kind, 0.0)] if kind else [])), PLAN, at(day)) is None


def test_a_trial_without_days_of_grace_ends_in_suspension() -> None:
    strict = PLAN.model_copy(update={"grace_days": 0})
    assert next_step(folded((K.TRIAL_STARTED, 0)), strict, at(1)) == NextStep(at(14), Consequence.SUSPENDED)


def test_the_days_are_those_of_the_plan_that_was_bought_where_there_is_one() -> None:
    offered = {"standard": PLAN, "business": PLAN.model_copy(update={"grace_days": 9})}
    for plan, days in (("business", 9), ("tomorrows", 7), (None, 7)):
        assert plan_of(Subscription(plan=plan), offered).grace_days == days


def test_a_trial_whose_end_was_told_ends_then() -> None:
    trial = fold([a_fact(K.TRIAL_STARTED, trial_ends_at=at(3))])
    assert meaning(trial, PLAN, at(4)) == (NOTICE, at(10))


def test_the_plan_that_was_bought_is_wished_for() -> None:
    assert meaning(fold([a_fact(K.ACTIVATED, plan="business")]), PLAN, at(0))[0].plan == "business"


def test_an_end_that_was_learned_of_late_keeps_the_store_as_long() -> None:
    ended = learned(folded((K.ACTIVATED, 0), (K.CANCELED, 1)), Subscription(), at(100))
    assert meaning(ended, PLAN, at(129)) == (HELD, at(130))
    assert meaning(ended, PLAN, at(130)) == (GONE, None)


def test_grace_that_was_learned_of_late_is_as_long() -> None:
    late = learned(folded((K.ACTIVATED, 0), (K.PAST_DUE, 30)), folded((K.ACTIVATED, 0)), at(40))
    assert meaning(late, PLAN, at(40)) == (NOTICE, at(47))
    assert next_step(late, PLAN, at(40)) == NextStep(at(47), Consequence.SUSPENDED)
    assert meaning(late, PLAN, at(47)) == (HELD, None)
    once_more = learned(folded((K.ACTIVATED, 0), (K.PAST_DUE, 29), (K.PAST_DUE, 30)), late, at(44))
    assert meaning(once_more, PLAN, at(44)) == (NOTICE, at(47))


def test_grace_of_a_failure_that_was_told_ahead_counts_from_when_it_is() -> None:
    ahead = learned(folded((K.PAST_DUE, 50)), Subscription(), at(1))
    assert meaning(ahead, PLAN, at(2)) == (NOTICE, at(57))


@pytest.mark.parametrize(("known", "suspended"), [(0, 21), (13, 21), (20, 27), (100, 107)])
def test_grace_after_a_trial_begins_at_its_end_or_when_the_platform_learned_of_it(
    known: float, suspended: float
) -> None:
    trial = learned(folded((K.TRIAL_STARTED, 0)), Subscription(), at(known))
    assert meaning(trial, PLAN, at(13.9)) == (RUNS, at(14))
    assert meaning(trial, PLAN, at(max(known, 14))) == (NOTICE, at(suspended))
    assert meaning(trial, PLAN, at(suspended)) == (HELD, None)


def test_an_end_that_was_told_ahead_counts_from_when_it_is() -> None:
    ended = learned(folded((K.ACTIVATED, 0), (K.CANCELED, 50)), Subscription(), at(1))
    assert meaning(ended, PLAN, at(60)) == (HELD, at(80))


@given(FACTS, st.lists(st.floats(0, 200), min_size=2).map(sorted))
def test_nothing_is_lost_by_time_alone_unless_it_has_ended(facts: list[Fact], days: list[float]) -> None:
    """An active store never stops, only an end removes, and what time takes away it never gives back."""
    state = learned(fold(facts), Subscription(), at(7))
    wishes = [meaning(state, PLAN, at(day))[0] for day in days]
    if state.status in (S.ACTIVE, S.NOT_BEGUN):
        assert set(wishes) == {BillingWish(runs=True, plan=state.plan)}
    if not state.status.ended:
        assert not any(wish.gone for wish in wishes)
    assert all(wish.gone <= (not wish.runs) for wish in wishes)
    for before, after in pairwise(wishes):
        assert before.runs >= after.runs
        assert before.gone <= after.gone


@given(FACTS, st.floats(0, 200))
def test_a_deadline_is_ahead_and_changes_something(facts: list[Fact], day: float) -> None:
    state = learned(fold(facts), Subscription(), at(7))
    wish, deadline = meaning(state, PLAN, at(day))
    if deadline:
        assert deadline > at(day)
        assert meaning(state, PLAN, deadline - timedelta(microseconds=1))[0] == wish
        assert meaning(state, PLAN, deadline)[0] != wish
    else:
        assert meaning(state, PLAN, at(9999))[0] == wish
