"""What can be asked of a store: each verb a function of its row, and one table of when it is possible.

A verb gets the store and the platform's time and returns the store that is wanted: the same one where
nothing changes. Whoever writes it down counts the generation up. A store that was given up is tried
again whatever is asked of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from typing import Any, ClassVar, Protocol

from control_plane.domain.errors import NotNowError, PlanTooSmallError, RequestError
from control_plane.domain.plans import Plan
from control_plane.domain.store import Desired, Hold, Notice, Store, StoreState

FORMER_HOSTNAME_DAYS = 30  # that a store's former host name still leads to it

_S = StoreState
_LIVE = frozenset(StoreState) - {_S.DELETING, _S.DELETED}
_INSTALLED = frozenset({_S.READY, _S.DEGRADED, _S.UPDATING})


class Verb(StrEnum):
    """As people say it, and as programs read it."""

    RENAME = "rename"
    MOVE = "move"
    CHANGE_PLAN = "change-plan"
    RESET_PASSWORD = "reset-password"  # noqa: S105 - a verb
    SUSPEND = "suspend"
    RESUME = "resume"
    RETRY = "retry"
    DELETE = "delete"
    UNDELETE = "undelete"
    PURGE = "purge"


# In which states a verb can do something; `possible` takes away what the rest of the row rules out.
POSSIBLE: Mapping[Verb, frozenset[StoreState]] = {
    Verb.RENAME: _LIVE,
    Verb.MOVE: _LIVE,
    Verb.CHANGE_PLAN: _LIVE,
    Verb.RESET_PASSWORD: _INSTALLED,
    Verb.SUSPEND: _LIVE,
    Verb.RESUME: _LIVE,
    Verb.RETRY: frozenset({_S.FAILED}),
    Verb.DELETE: _LIVE,
    Verb.UNDELETE: _LIVE,
    Verb.PURGE: _LIVE,
}


def possible(store: Store, by: Hold) -> frozenset[Verb]:
    """What would change the store now, asked by whoever sets the hold `by`."""
    return frozenset(
        verb for verb, states in POSSIBLE.items() if store.state in states and _sensible(verb, store, by)
    )


def _sensible(verb: Verb, store: Store, by: Hold) -> bool:
    rules = {
        # What is paid for is what runs.
        Verb.CHANGE_PLAN: by is not Hold.OWNER or not store.billed,
        # The shop's own pods set it.
        Verb.RESET_PASSWORD: store.ready_at is not None and store.runs,
        Verb.SUSPEND: by not in store.holds,
        Verb.RESUME: by in store.holds,
        Verb.DELETE: store.removal_at is None,
        Verb.UNDELETE: store.removal_at is not None,
    }
    return rules.get(verb, True)


class Asked(Protocol):
    """One verb with what it was given."""

    @property
    def action(self) -> str:
        """What the audit tells."""

    def __call__(self, store: Store, now: datetime) -> Store:
        """The store that is wanted. Raises NotNowError, or another RequestError of its own."""


class _OfCustomer:
    verb: ClassVar[Verb]

    @property
    def action(self) -> str:
        """See `Asked`."""
        return f"{self.verb} asked"


@dataclass(frozen=True)
class Rename(_OfCustomer):
    """Another title; the address stays."""

    verb: ClassVar[Verb] = Verb.RENAME
    title: str

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`."""
        return store if store.title == self.title else _changed(self.verb, store, title=self.title)


@dataclass(frozen=True)
class Move(_OfCustomer):
    """Another name and host name, below the same domain: its cell's. The one before leads to the new one for
    a while."""

    verb: ClassVar[Verb] = Verb.MOVE
    name: str
    label: str  # of the new host name, its first

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`."""
        if store.name == self.name:
            return store
        return _changed(
            self.verb,
            store,
            name=self.name,
            hostname=f"{self.label}.{store.domain}",
            former_hostname=store.hostname,
            former_until=now + timedelta(days=FORMER_HOSTNAME_DAYS),
        )


@dataclass(frozen=True)
class ForgetFormerHostname:
    """The former host name has led here for long enough."""

    action = "former host name ended"

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`."""
        over = store.former_until is not None and store.former_until <= now
        if not over or store.desired is Desired.DELETED or store.state is _S.FAILED:
            return store
        return _changed(Verb.MOVE, store, former_hostname=None, former_until=None)


@dataclass(frozen=True)
class ChangePlan(_OfCustomer):
    """Another plan. Volumes grow with it, and never shrink."""

    verb: ClassVar[Verb] = Verb.CHANGE_PLAN
    name: str
    plans: Mapping[str, Plan]
    by: Hold = Hold.BILLING

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`. Raises PlanTooSmallError."""
        if store.plan == self.name:
            return store
        if store.billed and self.by is Hold.OWNER:
            raise NotNowError("a subscription decides the store's plan: change it where it is paid for")
        old, new = _plan_of_volumes(store, self.plans), self.plans[self.name]
        if old and not new.holds_volumes_of(old):
            raise PlanTooSmallError(
                f"the plan {self.name!r} has {new.content_storage} for files and {new.database_storage} for"
                f" the database, and this store's volumes have {old.content_storage} and"
                f" {old.database_storage}, which cannot shrink: choose a plan with at least that",
                field="plan",
            )
        return _changed(self.verb, store, plan=self.name)


@dataclass(frozen=True)
class ResetPassword(_OfCustomer):
    """A new password of the administrator."""

    verb: ClassVar[Verb] = Verb.RESET_PASSWORD

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`."""
        return _changed(self.verb, store, admin_number=store.admin_number + 1)


@dataclass(frozen=True)
class Suspend(_OfCustomer):
    """A hold: the store does not run until whoever set it lifts it."""

    verb: ClassVar[Verb] = Verb.SUSPEND
    by: Hold

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`."""
        if self.by in store.holds and store.state in _LIVE:
            return store
        return _changed(self.verb, store, self.by, holds=store.holds | {self.by})


@dataclass(frozen=True)
class Resume(_OfCustomer):
    """One's own hold is lifted. The store runs when nobody else has one."""

    verb: ClassVar[Verb] = Verb.RESUME
    by: Hold

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`. Raises NotNowError naming who else holds it, where the caller does not."""
        if self.by in store.holds or store.state not in _LIVE:
            return _changed(self.verb, store, self.by, holds=store.holds - {self.by})
        if others := sorted(store.holds):
            raise NotNowError(
                f"the store is held by {' and '.join(others)}, and only they can lift that:"
                f" {_told(possible(store, self.by))}"
            )
        return store


@dataclass(frozen=True)
class Retry(_OfCustomer):
    """Another try for a store that was given up."""

    verb: ClassVar[Verb] = Verb.RETRY

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`."""
        return _changed(self.verb, store)


@dataclass(frozen=True)
class Delete(_OfCustomer):
    """Off now and gone after the plan's retention; gone at once where nobody has ever used it."""

    verb: ClassVar[Verb] = Verb.DELETE
    plans: Mapping[str, Plan]

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`."""
        if store.desired is Desired.DELETED or store.removal_at is not None:
            return store
        if store.ready_at is None:
            return _removed(store)
        plan = self.plans.get(store.plan)
        kept = timedelta(days=plan.retention_days if plan else _LONGEST_DAYS)
        return _changed(self.verb, store, removal_at=now + kept)


_LONGEST_DAYS = 90  # a plan that is no longer in the file: rather too long than too short


@dataclass(frozen=True)
class Undelete(_OfCustomer):
    """A deletion that was asked for is taken back."""

    verb: ClassVar[Verb] = Verb.UNDELETE

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`."""
        if store.removal_at is None and store.state in _LIVE:
            return store
        return _changed(self.verb, store, removal_at=None)


@dataclass(frozen=True)
class Purge(_OfCustomer):
    """Gone at once, for good. The name shows that nobody slipped."""

    verb: ClassVar[Verb] = Verb.PURGE
    name: str

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`. Raises RequestError for another name than the store's."""
        if self.name != store.name:
            raise RequestError(
                f"this removes the store with all its data: confirm it with the name {store.name!r}",
                field="name",
            )
        return store if store.desired is Desired.DELETED else _removed(store)


@dataclass(frozen=True)
class EndRetention:
    """What was deleted is gone once its time is over."""

    action = "retention ended"

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`."""
        if store.removal_at is None or store.removal_at > now or store.desired is Desired.DELETED:
            return store
        return _removed(store)


@dataclass(frozen=True)
class Together:
    """Several at once: one generation, or none of it."""

    asked: Sequence[Asked]

    @property
    def action(self) -> str:
        """See `Asked`."""
        return ", ".join(each.action for each in self.asked)

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`."""
        return reduce(lambda found, each: each(found, now), self.asked, store)


@dataclass(frozen=True)
class BillingWish:
    """What a subscription says that its store should be. `plan` is None where it says nothing of one."""

    runs: bool
    notice: Notice = Notice.NONE
    plan: str | None = None
    gone: bool = False


@dataclass(frozen=True)
class AsBilled:
    """What billing's facts mean for the store."""

    wish: BillingWish
    plans: Mapping[str, Plan]
    action = "billing applied"

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`. A plan whose volumes are smaller changes nothing but is nobody's mistake here."""
        if store.desired is Desired.DELETED:
            return store
        if self.wish.gone:
            return _removed(store)
        billing = frozenset({Hold.BILLING})
        changes: dict[str, Any] = {
            "holds": store.holds - billing if self.wish.runs else store.holds | billing,
            "notice": self.wish.notice,
        }
        old, new = _plan_of_volumes(store, self.plans), self.plans.get(self.wish.plan or "")
        if new and (old is None or new.holds_volumes_of(old)):
            changes["plan"] = self.wish.plan
        if replace(store, **changes) == store:
            return store
        return _changed(Verb.SUSPEND, store, Hold.BILLING, **changes)


def _plan_of_volumes(store: Store, plans: Mapping[str, Plan]) -> Plan | None:
    """The plan that the store was last released with: what was asked since then has grown nothing yet."""
    return plans.get(store.applied_plan or "")


def _changed(verb: Verb, store: Store, by: Hold = Hold.OWNER, **changes: Any) -> Store:
    """Raises NotNowError where the verb is not possible."""
    states = POSSIBLE[verb]
    if store.state not in states or (verb is Verb.RESET_PASSWORD and not _sensible(verb, store, by)):
        raise NotNowError(f"the store is {store.state}: {_told(possible(store, by))}")
    if store.state is _S.FAILED:
        changes |= {"state": _S.QUEUED, "reason": None}
    return replace(store, **changes)


def _removed(store: Store) -> Store:
    return replace(store, desired=Desired.DELETED, state=_S.DELETING, reason=None)


def _told(verbs: frozenset[Verb]) -> str:
    if not verbs:
        return "it can only be looked at"
    return f"what can be asked of it is {', '.join(verb for verb in Verb if verb in verbs)}"
