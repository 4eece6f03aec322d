"""What is so, in the words of people who have a shop to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.domain.billing import Consequence, SubscriptionStatus
from control_plane.domain.store import Hold, Store, StoreState

_S = StoreState
_WORKING = frozenset({_S.QUEUED, _S.PROVISIONING, _S.UPDATING, _S.DELETING})
_ENDED = frozenset({_S.FAILED, _S.DELETED})

BUILDING = ("Ordered", "Being built", "Open")  # the way of a new shop


class Tone(StrEnum):
    """How it looks: never the only thing that tells."""

    GOOD = "good"
    BUSY = "busy"
    OFF = "off"
    BAD = "bad"


@dataclass(frozen=True)
class Said:
    """A state: two words for it, and a sentence on what it means and what there is to do."""

    headline: str
    means: str
    tone: Tone


_SAID: Mapping[StoreState, Said] = {
    _S.QUEUED: Said("Waiting to be built", "Your order is in. Building begins in a moment.", Tone.BUSY),
    _S.PROVISIONING: Said("Being built", "This takes about a minute. You need do nothing.", Tone.BUSY),
    _S.READY: Said("Open", "Shoppers can buy.", Tone.GOOD),
    _S.DEGRADED: Said(
        "Not working just now",
        "A part of the shop has stopped. We are bringing it back: you need do nothing.",
        Tone.BAD,
    ),
    _S.UPDATING: Said("Being changed", "The shop may be away for some seconds.", Tone.BUSY),
    _S.SUSPENDED: Said("Closed", "Shoppers read that it is closed. Everything is kept.", Tone.OFF),
    _S.DELETING: Said("Being removed", "The shop and all that is in it is going for good.", Tone.BUSY),
    _S.DELETED: Said("Gone", "This shop was removed for good. Only its history is left.", Tone.OFF),
    _S.FAILED: Said(
        "Stopped",
        "It could not be finished, and we have stopped trying. Nothing that it has is lost. Try again; if "
        "it stops once more, send the reason to those who run this platform.",
        Tone.BAD,
    ),
}
_SOON = Said("About to change", "What you asked for begins in a moment.", Tone.BUSY)
_CLOSING = Said("Closing", "The shop is being switched off. Everything is kept.", Tone.BUSY)
_HELD: Mapping[Hold, Said] = {
    Hold.OPERATOR: Said(
        "Closed by us",
        "Those who run this platform have closed it, and only they can open it again. Everything is kept.",
        Tone.OFF,
    ),
    Hold.BILLING: Said(
        "Closed: not paid for", "It opens again by itself when it is paid. Everything is kept.", Tone.OFF
    ),
    Hold.OWNER: Said(
        "Closed by you", "Shoppers read that it is closed. Open it again when you like.", Tone.OFF
    ),
}


def of_store(store: Store) -> Said:
    """What a store's state means to its owner."""
    if store.state is _S.SUSPENDED and is_moving(store):
        return _SOON
    if store.state in (_S.SUSPENDED, _S.UPDATING) and store.removal_at is not None:
        means = f"It is kept until {day(store.removal_at)}, and then removed for good. You can undo that."
        return Said("Deleted", means, Tone.OFF if store.state is _S.SUSPENDED else Tone.BUSY)
    if store.state is _S.SUSPENDED:
        return next((said for hold, said in _HELD.items() if hold in store.holds), _SAID[store.state])
    if store.state is _S.UPDATING and not store.runs:
        return _CLOSING
    if store.state in (_S.READY, _S.DEGRADED) and is_moving(store):
        return _SOON
    return _SAID[store.state]


def is_moving(store: Store) -> bool:
    """Whether it will be something else in a moment, without anybody asking for more."""
    if store.state in _ENDED:
        return False
    return store.state in _WORKING or store.applied_generation < store.generation


def step_of(store: Store) -> int | None:
    """Where in `BUILDING` a new shop is; None for one that is not being built for the first time."""
    if store.ready_at is not None or store.state not in (_S.QUEUED, _S.PROVISIONING):
        return None
    return 0 if store.state is _S.QUEUED else 1


SUBSCRIPTION: Mapping[SubscriptionStatus, str] = {
    SubscriptionStatus.NOT_BEGUN: "not begun yet",
    SubscriptionStatus.TRIALING: "a trial: nothing is to be paid yet",
    SubscriptionStatus.ACTIVE: "paid",
    SubscriptionStatus.PAST_DUE: "a payment did not go through",
    SubscriptionStatus.PAUSED: "paused",
    SubscriptionStatus.CANCELED: "canceled: paying again brings the shop back until it is removed",
    SubscriptionStatus.EXPIRED: "ended: paying again brings the shop back until it is removed",
}
CONSEQUENCES: Mapping[Consequence, str] = {
    Consequence.NOTICE: "the shop goes on, and its pages for you say that it is not paid for",
    Consequence.SUSPENDED: "the shop is closed, with everything kept",
    Consequence.REMOVED: "the shop is removed for good",
}


def moment(at: datetime) -> str:
    """As "5 January 2026, 09:30 UTC"."""
    return f"{day(at)}, {at:%H:%M} UTC"


def day(at: datetime) -> str:
    """As "5 January 2026"."""
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def size(quantity: str) -> str:
    """As "10 GiB"."""
    return f"{quantity[:-2]} {quantity[-2:]}B"


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
