"""Ask something of a store that is there: record it as the next generation, and announce that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from control_plane.domain.accounts import Caller, Role, Scope
from control_plane.domain.errors import HostnameTakenError, TemporaryError
from control_plane.domain.life import (
    Asked,
    ChangePlan,
    Delete,
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
from control_plane.domain.plans import Plans
from control_plane.domain.store import Hold, Store
from control_plane.ports.customers import Accounts, Shown
from control_plane.use_cases.announce import Announce
from control_plane.use_cases.hostnames import TRIES, draw_label

# What a caller must be allowed to; all others take WRITE.
_NEEDS = {Verb.RETRY: Scope.RETRY, Verb.RESET_PASSWORD: Scope.CREDENTIALS}


@dataclass(frozen=True)
class ChangeStore:
    """Every verb but creating, with what they need."""

    accounts: Accounts
    announce: Announce
    plans: Plans

    def __call__(
        self,
        shown: Shown,
        store_id: UUID,
        wishes: Mapping[Verb, str],
        *,
        generation: int | None,
        cause: str,
    ) -> Seen:
        """The store at its next generation, or as it is where nothing changes.

        `wishes` are verbs that take the same scope, each with what it takes: a title, a name (for moving
        and purging), a plan that there is, or nothing. Raises what `Accounts.enter`, `Stores.change` and
        the verbs do, and DatabaseUnavailableError.
        """
        (needs,) = {scope_of(verb) for verb in wishes}
        for _ in range(TRIES):
            with suppress(HostnameTakenError):
                with self.accounts.enter(shown, needs) as transaction:
                    caller = transaction.caller
                    by, actor = hold_of(caller), caller.acting(cause)
                    asked = Together([self._asked(verb, given, by) for verb, given in wishes.items()])
                    accepted = transaction.stores.change(store_id, asked, generation=generation, actor=actor)
                return Seen(self.announce(accepted), caller)
        raise TemporaryError("no free host name was found")

    def _asked(self, verb: Verb, given: str, by: Hold) -> Asked:
        makes: Mapping[Verb, Callable[[], Asked]] = {
            Verb.RENAME: lambda: Rename(given),
            Verb.MOVE: lambda: Move(given, draw_label(given)),
            Verb.CHANGE_PLAN: lambda: ChangePlan(given, self.plans.stores, by),
            Verb.RESET_PASSWORD: ResetPassword,
            Verb.SUSPEND: lambda: Suspend(by),
            Verb.RESUME: lambda: Resume(by),
            Verb.RETRY: Retry,
            Verb.DELETE: lambda: Delete(self.plans.stores),
            Verb.UNDELETE: Undelete,
            Verb.PURGE: lambda: Purge(given),
        }
        return makes[verb]()


def scope_of(verb: Verb) -> Scope:
    """What a caller must be allowed to, to ask for it."""
    return _NEEDS.get(verb, Scope.WRITE)


def hold_of(caller: Caller) -> Hold:
    """Whose hold a caller sets and lifts."""
    return Hold.OWNER if caller.role is Role.CUSTOMER else Hold.OPERATOR


@dataclass(frozen=True)
class Seen:
    """A store, and who looks at it."""

    store: Store
    caller: Caller

    @property
    def possible(self) -> frozenset[Verb]:
        """What they can ask of it now: all that would change it, as far as they are allowed to."""
        verbs = possible(self.store, hold_of(self.caller))
        return frozenset(verb for verb in verbs if self.caller.may(scope_of(verb)))
