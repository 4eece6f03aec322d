"""What billing's facts add up to, and what that means for a store.

A subscription's state is folded anew from all of its facts each time one comes, so that facts which are
late, doubled or out of order lead where they would have led in order. What a state means is one table,
`meaning`, by the platform's time: nothing else decides whether a store runs because of money.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from control_plane.domain.errors import PermanentError, RequestError
from control_plane.domain.life import BillingWish
from control_plane.domain.plans import STANDARD, Plan
from control_plane.domain.store import Notice


class ContradictionError(PermanentError):
    """An event says something else than what is known under its id, or of its subscription."""


class NotRecordedError(Exception):
    """A fact could not be recorded now: its message must come again, or the fact would be lost."""


class NotSignedError(RequestError):
    """A call that says it comes from a billing system, and does not."""

    kind = "not-signed"
    title = "The signature is not right"


class FactKind(StrEnum):
    """What happened to a subscription, in the order in which facts of one moment are read.

    Billing's times may have whole seconds, so several facts have the same one. What begins comes first,
    because what else happens in that second happened to what had begun. A payment counts after its
    failure, so that in doubt the shop runs. An end counts last: it is brought back by a later moment only.
    """

    TRIAL_STARTED = "trial_started"
    ACTIVATED = "activated"
    PLAN_CHANGED = "plan_changed"
    TRIAL_WILL_END = "trial_will_end"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    RECOVERED = "recovered"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    CANCELED = "canceled"


_RANK = {kind: rank for rank, kind in enumerate(FactKind)}


@dataclass(frozen=True)
class StoreOrder:
    """What the store of a subscription should be, validated."""

    name: str
    title: str
    admin_email: str


@dataclass(frozen=True)
class Fact:
    """One event of a billing system, in our words. Times are UTC.

    `plan` is None where the event says nothing of one. `fingerprint` is the same for each delivery of an
    event, and another one for another content under the same id; it is made of nothing that names a person.
    `remark` is what of the event could not be used, for people.
    """

    source: str
    event_id: str
    kind: FactKind
    subscription_id: str
    customer: str
    occurred_at: datetime
    fingerprint: str
    plan: str | None = None
    trial_ends_at: datetime | None = None
    store: StoreOrder | None = None
    remark: str = ""

    @property
    def place(self) -> tuple[datetime, int, str, str]:
        """Where it stands among the facts of its subscription."""
        return self.occurred_at, _RANK[self.kind], self.event_id, self.source


class SubscriptionStatus(StrEnum):
    """What a subscription is."""

    NOT_BEGUN = "not-begun"  # nothing is known yet that begins it
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past-due"
    PAUSED = "paused"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        """Whether nobody pays any more, nor will."""
        return self in (SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED)


_S = SubscriptionStatus


@dataclass(frozen=True)
class Subscription:
    """What a subscription's facts add up to. `since` is when its status began.

    `known_at` is when the platform first knew that its status is this. It says nothing of the subscription,
    and so does not count when two are compared.
    """

    status: SubscriptionStatus = SubscriptionStatus.NOT_BEGUN
    since: datetime | None = None
    plan: str | None = None
    trial_ends_at: datetime | None = None
    store: StoreOrder | None = None
    remark: str = ""
    known_at: datetime | None = field(default=None, compare=False)


# A change of plan is a plan, and no more. A refund changes nothing: it may be a part of one month's price,
# and where it ends a subscription billing says so with a fact of its own.
_LEADS_TO = {
    FactKind.TRIAL_STARTED: _S.TRIALING,
    FactKind.ACTIVATED: _S.ACTIVE,
    FactKind.PAST_DUE: _S.PAST_DUE,
    FactKind.PAUSED: _S.PAUSED,
    FactKind.RECOVERED: _S.ACTIVE,
    FactKind.EXPIRED: _S.EXPIRED,
    FactKind.CANCELED: _S.CANCELED,
}
_REVIVE = frozenset({FactKind.ACTIVATED, FactKind.RECOVERED})

STRIPE = "stripe"
# Billing systems that never bring back what has ended: who buys again there has another subscription. What
# looks like it is a late payment of something else, such as an invoice that was open at the end.
_END_FOR_GOOD = frozenset({STRIPE})


def fold(facts: Iterable[Fact]) -> Subscription:
    """The state that all facts of one subscription lead to, in whatever order and however often given."""
    folded = Subscription()
    for fact in sorted(facts, key=lambda each: each.place):
        folded = _after(folded, fact)
    return folded


def _after(before: Subscription, fact: Fact) -> Subscription:
    status = _LEADS_TO.get(fact.kind, before.status)
    if before.status.ended and (fact.kind not in _REVIVE or fact.source in _END_FOR_GOOD):
        status = before.status
    return replace(
        before,
        status=status,
        # A status that lasts keeps its first moment: each failed payment says past due once more.
        since=before.since if status is before.status else fact.occurred_at,
        plan=fact.plan or before.plan,
        trial_ends_at=(fact.trial_ends_at or before.trial_ends_at) if status is _S.TRIALING else None,
        store=fact.store or before.store,
        remark=fact.remark or before.remark,
    )


def learned(folded: Subscription, before: Subscription, now: datetime) -> Subscription:
    """The state with when the platform learned of its status, of which `before` knows where it is not news.

    That it ended in another way than was thought is no news either.
    """
    same = folded.status is before.status or (folded.status.ended and before.status.ended)
    return replace(folded, known_at=(before.known_at if same else None) or now)


def meaning(subscription: Subscription, plan: Plan, now: datetime) -> tuple[BillingWish, datetime | None]:
    """What the store should be now, and when that changes by itself; None for never.

    | status            | the store                                                                          |
    |-------------------|------------------------------------------------------------------------------------|
    | trialing          | runs; from the trial's end on, without news, as past due                           |
    | active            | runs                                                                               |
    | past due          | runs with a notice through the plan's grace days, then suspended                   |
    | paused            | suspended                                                                          |
    | canceled, expired | suspended, restorable through the plan's retention days, then removed              |

    Days of grace and of retention begin when the status did, or when the platform learned of it where that
    is later; those of grace after a trial at its end, or then. So no message that is late suspends an unpaid
    shop without notice, or removes one.
    """
    return next((wish, end) for end, wish in _phases(subscription, plan) if end is None or now < end)


class Consequence(StrEnum):
    """What a deadline brings to the store, where no news of the subscription comes before."""

    NOTICE = "notice"
    SUSPENDED = "suspended"
    REMOVED = "removed"


@dataclass(frozen=True)
class NextStep:
    """What becomes of the store by itself, and when."""

    at: datetime
    then: Consequence


def next_step(subscription: Subscription, plan: Plan, now: datetime) -> NextStep | None:
    """How what the store should be differs after the next deadline from now; None where it stays so."""
    _, deadline = meaning(subscription, plan, now)
    if deadline is None:
        return None
    after, _ = meaning(subscription, plan, deadline)
    if after.gone:
        return NextStep(deadline, Consequence.REMOVED)
    return NextStep(deadline, Consequence.NOTICE if after.runs else Consequence.SUSPENDED)


def plan_of(subscription: Subscription, plans: Mapping[str, Plan]) -> Plan:
    """Whose days count: those of the plan that was bought, or of the standard one where there is no such."""
    return plans.get(subscription.plan or "") or plans[STANDARD]


def _phases(subscription: Subscription, plan: Plan) -> Sequence[tuple[datetime | None, BillingWish]]:
    """What the store should be until when, one after the other; the last for ever."""
    runs = BillingWish(runs=True, plan=subscription.plan)
    unpaid = replace(runs, notice=Notice.PAST_DUE)
    suspended = replace(runs, runs=False)
    grace, kept = timedelta(days=plan.grace_days), timedelta(days=plan.retention_days)
    since = subscription.since
    if since is None or subscription.status is _S.ACTIVE:
        return [(None, runs)]
    known_at = max(since, subscription.known_at or since)
    if subscription.status is _S.TRIALING:
        end = subscription.trial_ends_at or since + timedelta(days=plan.trial_days)
        return [(end, runs), (max(end, known_at) + grace, unpaid), (None, suspended)]
    if subscription.status is _S.PAST_DUE:
        return [(known_at + grace, unpaid), (None, suspended)]
    if subscription.status is _S.PAUSED:
        return [(None, suspended)]
    return [(known_at + kept, suspended), (None, replace(suspended, gone=True))]
