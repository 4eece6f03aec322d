"""The invariants that can be observed from outside, by name. `docs/operating.md` has the others too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """Where evidence comes from. What could not be looked at leaves its invariants unknown."""

    DATABASE = "database"
    STORES_IN_CELL = "stores in the cell"
    RIGHTS_IN_CELL = "policies of the cell"


@dataclass(frozen=True)
class Invariant:
    """One statement about the platform, and what to do where it does not hold."""

    name: str
    statement: str
    advice: str
    needs: frozenset[Part] = frozenset({Part.DATABASE})


_BOTH = frozenset({Part.DATABASE, Part.STORES_IN_CELL})
_CELL = frozenset({Part.RIGHTS_IN_CELL})

ACCEPTED_IS_RECORDED = "accepted-is-recorded"
ANNOUNCED_WITH_ITS_INTENT = "announced-with-its-intent"
NOTHING_WAITS_FOR_EVER = "nothing-waits-for-ever"
ONE_WORKER_AT_A_TIME = "one-worker-at-a-time"
ONE_RELEASE_PER_STORE = "one-release-per-store"
READY_IS_TRUE = "ready-is-true"
SUSPENDED_IS_TRUE = "suspended-is-true"
ONLY_ALLOWED_MOVES = "only-allowed-moves"
ROW_MATCHES_AUDIT = "row-matches-audit"
FAILED_SAYS_WHY = "failed-says-why"
EVERY_FAILURE_IS_VISIBLE = "every-failure-is-visible"
CREDENTIALS_KEPT = "credentials-kept"
DELETED_IS_GONE = "deleted-is-gone"
NO_ORPHANS = "no-orphans"
ISOLATION_STANDS = "isolation-stands"
RIGHTS_STAND = "rights-stand"
POISON_IS_PARKED = "poison-is-parked"
RELEASES_FREED_UNDER_LEASE = "releases-freed-under-lease"

_ALL = (
    Invariant(
        ACCEPTED_IS_RECORDED,
        "Every store that was accepted, announced or told of has a row.",
        "Do not answer the letter before you know who announced it: something is said before it is "
        "recorded, or the database was restored from before it. Compare with the logs of create_store.",
    ),
    Invariant(
        ANNOUNCED_WITH_ITS_INTENT,
        "Every intent was recorded in one transaction with its announcement.",
        "The store is brought on all the same, by a later pass. Look for code that writes one without the "
        "other: the audit entry's `transaction` has no outbox row.",
    ),
    Invariant(
        NOTHING_WAITS_FOR_EVER,
        "Whatever is unfinished is in somebody's hand, due soon, or was looked at a moment ago.",
        "See that provision, reconcile and the scheduler run (`urumi status`) and what they log; "
        "a pass wakes what is due.",
    ),
    Invariant(
        ONE_WORKER_AT_A_TIME,
        "A store is worked on by one worker at a time, and one whose lease has ended writes nothing.",
        "Stop provision, let one instance run, and look which code writes without its lease's token.",
    ),
    Invariant(
        ONE_RELEASE_PER_STORE,
        "A store has one namespace, one release in it, and the claims that the chart names.",
        "Find who made the other one. `helm list -A` shows releases; nothing is removed by itself.",
        _BOTH,
    ),
    Invariant(
        READY_IS_TRUE,
        "A store that is READY has the release and the pods of its newest intent, rolled out.",
        "If reconcile runs, look at its log for this store; a pass should have made it DEGRADED.",
        _BOTH,
    ),
    Invariant(
        SUSPENDED_IS_TRUE,
        "A store that is SUSPENDED has a reason not to run, its newest release, and no pod.",
        "If reconcile runs, look at its log for this store. A pod that stays is told by "
        "`kubectl -n store-ID describe pod`.",
        _BOTH,
    ),
    Invariant(
        ONLY_ALLOWED_MOVES,
        "Each store's history begins QUEUED, has no gap, and makes only moves of the table.",
        "Somebody wrote past the database's rules: `written_by` in the audit says which role.",
    ),
    Invariant(
        ROW_MATCHES_AUDIT,
        "State and generations of each row are what the audit's entries say.",
        "The row was changed without an audit entry. Compare it with `urumi stores show ID`.",
    ),
    Invariant(
        FAILED_SAYS_WHY,
        "A store that is FAILED or DEGRADED says why, in its row and in its history.",
        "Look into the log of provision and reconcile for the store's id, and tell the customer.",
    ),
    Invariant(
        EVERY_FAILURE_IS_VISIBLE,
        "Each store that provision gave up waits for an operator as a dead letter, or was answered.",
        "Retry or delete the store by hand, and find out who removed its letter.",
    ),
    Invariant(
        CREDENTIALS_KEPT,
        "A store's passwords are those that it was installed with, and cannot be changed.",
        "Restore the Secret from a backup; new passwords would not fit the store's data.",
        _BOTH,
    ),
    Invariant(
        DELETED_IS_GONE,
        "A store that is DELETED has left nothing in the cell.",
        "`urumi orphans list` shows it once a full pass has found it; then `urumi orphans remove NAME`.",
        _BOTH,
    ),
    Invariant(
        NO_ORPHANS,
        "Every namespace and release of ours belongs to a row, and every row that should has a namespace.",
        "`urumi orphans list` shows what is known of it. Nothing is removed before you say so; a store "
        "whose namespace is gone can be deleted or restored.",
        _BOTH,
    ),
    Invariant(
        ISOLATION_STANDS,
        "Where pods may run there are Pod Security `restricted`, the plan's quota, default-deny and no "
        "rights but provision's.",
        "Put back what is missing: labels, quota `plan` and RoleBinding `provision` as provision makes them, "
        "the NetworkPolicy by `helm upgrade` of the store's release.",
        _BOTH,
    ),
    Invariant(
        RIGHTS_STAND,
        "The admission policies that hold provision to its rights are in force.",
        "Install the platform chart again; on this machine `urumi up` does it.",
        _CELL,
    ),
    Invariant(
        POISON_IS_PARKED,
        "What nobody can act on is tried a limited number of times and then waits for an operator.",
        "`urumi queue list` shows what waits; look into provision's log why it is tried on.",
    ),
    Invariant(
        RELEASES_FREED_UNDER_LEASE,
        "Every Helm record that we marked as failed was told to the audit before, by whoever had the lease.",
        "Somebody frees releases outside provision, or without its lease. The store itself can go on.",
        _BOTH,
    ),
)

INVARIANTS: Mapping[str, Invariant] = {each.name: each for each in _ALL}
