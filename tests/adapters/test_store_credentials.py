"""How an owner gets in: a password that is revealed once, on the fake and on Postgres."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from control_plane.adapters.postgres_vault import PostgresVault
from control_plane.adapters.sealer import Sealer
from control_plane.domain import retention
from control_plane.domain.accounts import Scope, TokenShown
from control_plane.domain.errors import (
    ClaimedError,
    LeaseLostError,
    MisconfiguredError,
    NotNowError,
    StoreNotFoundError,
)
from control_plane.domain.life import ResetPassword
from control_plane.domain.store import StoreState
from control_plane.use_cases.create_token import digest_of
from tests.adapters.backends import SEALER
from tests.builders import ACTOR, CUSTOMER, STRANGER, a_new_store

PASSWORD = "correct-horse-battery-staple"


@contextmanager
def entered(backend, customer):
    digest = digest_of(f"another token of {customer}")
    if digest not in backend.stores.__dict__.setdefault("more", set()):
        backend.stores.more.add(digest)
        backend.let_in(customer, digest)
    with backend.accounts.enter(TokenShown(digest), Scope.CREDENTIALS) as transaction:
        yield transaction


def claim(backend, store_id, customer=CUSTOMER):
    with entered(backend, customer) as transaction:
        return transaction.credentials.claim(store_id, ACTOR)


def leased(backend, store_id=None):
    """A store that provision works on."""
    if store_id is None:
        store_id = backend.stores.add(a_new_store(), None, ACTOR).store.id
    found = backend.work.take(store_id, seconds=30)
    assert found
    return found


def kept(backend, *, ready=True):
    """A store whose first password waits for its owner."""
    found = leased(backend)
    assert backend.vault.keep(found, 1, PASSWORD) == PASSWORD
    if ready:
        run(backend, found)
    return found.store.id


def run(backend, found):
    """The store runs with its generation."""
    backend.work.record_release(
        found, revision=1, digest="d", chart_version="1", made_with="p1", deadline=60, actor=ACTOR
    )
    backend.work.finish(found, seconds=30)
    moment = backend.value(found.store.id, "created_at")
    backend.put(
        found.store.id, state=StoreState.READY, observed_generation=found.store.generation, ready_at=moment
    )


def test_a_password_is_revealed_once(backend):
    store_id = kept(backend)
    assert claim(backend, store_id) == PASSWORD
    with pytest.raises(ClaimedError):
        claim(backend, store_id)


def test_the_audit_tells_that_it_was_claimed_and_not_what(backend):
    store_id = kept(backend)
    claim(backend, store_id)
    with pytest.raises(ClaimedError):
        claim(backend, store_id)
    told = [each for each in backend.stores.history(CUSTOMER, store_id) if each.action == "password claimed"]
    assert [(each.actor, each.from_state, each.to_state) for each in told] == [(ACTOR.name, "READY", "READY")]
    assert PASSWORD not in str(told)


def test_of_many_at_once_one_gets_it(backend):
    store_id = kept(backend)
    with entered(backend, CUSTOMER):
        pass
    start = Barrier(8)

    def ask(_):
        start.wait()
        try:
            return claim(backend, store_id)
        except ClaimedError:
            return None

    with ThreadPoolExecutor(8) as threads:
        got = [each for each in threads.map(ask, range(8)) if each]
    assert got == [PASSWORD]


def test_it_is_not_revealed_before_the_store_runs_with_it(backend):
    not_made = backend.stores.add(a_new_store(), None, ACTOR).store.id
    for store_id in (not_made, kept(backend, ready=False)):
        with pytest.raises(NotNowError):
            claim(backend, store_id)


def test_a_stranger_gets_none_and_takes_none_away(backend):
    store_id = kept(backend)
    for wrong in (store_id, uuid4()):
        with pytest.raises(StoreNotFoundError):
            claim(backend, wrong, STRANGER)
    assert claim(backend, store_id) == PASSWORD


def test_it_waits_for_its_owner_for_a_week(backend):
    early, late = kept(backend), kept(backend)
    backend.later(retention.UNCLAIMED.total_seconds() - 60)
    assert claim(backend, early) == PASSWORD
    backend.later(120)
    with pytest.raises(ClaimedError):
        claim(backend, late)
    assert backend.cleaning.clean(limit=10)["unclaimed"] == 1
    with pytest.raises(ClaimedError):
        claim(backend, late)


def test_what_an_attempt_kept_the_next_one_uses(backend):
    first = leased(backend)
    backend.vault.keep(first, 1, "the first")
    backend.later(31)
    second = leased(backend, first.store.id)
    assert backend.vault.keep(second, 1, "the second") == "the first"
    with pytest.raises(LeaseLostError):
        backend.vault.keep(first, 1, "the third")
    with pytest.raises(LeaseLostError):
        backend.vault.keep(first, 2, "the fourth")


def test_a_reset_is_a_generation_with_a_password_of_its_own(backend):
    store_id = kept(backend)
    with entered(backend, CUSTOMER) as transaction:
        asked = transaction.stores.change(store_id, ResetPassword(), generation=None, actor=ACTOR).store
    assert (asked.generation, asked.admin_number) == (2, 2)
    with pytest.raises(NotNowError):  # the first is void, the second not there yet
        claim(backend, store_id)
    found = leased(backend, store_id)
    assert found.store.admin_number == 2
    backend.vault.keep(found, 2, "the second")
    with pytest.raises(NotNowError):
        claim(backend, store_id)
    run(backend, found)
    assert claim(backend, store_id) == "the second"
    with pytest.raises(ClaimedError):
        claim(backend, store_id)


@pytest.mark.parametrize("state", [StoreState.QUEUED, StoreState.FAILED, StoreState.DELETING])
def test_a_store_that_never_ran_or_ends_takes_no_reset(backend, state):
    store_id = backend.stores.add(a_new_store(), None, ACTOR).store.id
    backend.put(store_id, state=state, reason="because")
    with pytest.raises(NotNowError), entered(backend, CUSTOMER) as transaction:
        transaction.stores.change(store_id, ResetPassword(), generation=None, actor=ACTOR)
    assert backend.value(store_id, "admin_number") == 1


def test_who_is_let_in_stands_in_the_audit(backend):
    store_id = kept(backend)
    with entered(backend, CUSTOMER) as transaction:
        assert transaction.credentials.note_login(store_id, ACTOR).id == store_id
    assert backend.stores.history(CUSTOMER, store_id)[-1].action == "login link made"
    with pytest.raises(StoreNotFoundError), entered(backend, STRANGER) as transaction:
        transaction.credentials.note_login(store_id, ACTOR)


class TestSealing:
    """What only Postgres and real keys can show."""

    def test_the_password_stands_nowhere_in_the_database(self, real):
        store_id = kept(real)
        dump = str(real.database.rows(text("SELECT * FROM unclaimed"), {}))
        assert str(store_id) in dump
        assert PASSWORD not in dump
        assert PASSWORD.encode().hex() not in dump

    def test_a_claim_that_cannot_be_opened_takes_nothing_away(self, real):
        store_id = kept(real)
        other = Sealer([Fernet.generate_key().decode()])
        real.accounts._sealer, right = other, real.accounts._sealer
        with pytest.raises(MisconfiguredError, match="no key"):
            claim(real, store_id)
        real.accounts._sealer = right
        assert claim(real, store_id) == PASSWORD

    def test_what_was_sealed_for_one_store_opens_in_no_other(self, real):
        mine, theirs = kept(real), kept(real)
        sealed = "SELECT sealed FROM unclaimed WHERE store_id = :theirs"
        real.database.rows(
            text(f"UPDATE unclaimed SET sealed = ({sealed}) WHERE store_id = :mine"),  # noqa: S608
            {"mine": mine, "theirs": theirs},
        )
        with pytest.raises(MisconfiguredError, match="another store"):
            claim(real, mine)

    def test_a_new_key_in_front_seals_all_again_and_the_old_one_can_go(self, real):
        store_ids = [kept(real) for _ in range(3)]
        old, new = SEALER, Fernet.generate_key().decode()
        both = Sealer([new])
        both._keys._fernets.append(old._keys._fernets[0])
        operator = PostgresVault(real.functions["operator"], both)
        assert operator.seal_again() == 3
        assert operator.seal_again() == 3
        real.accounts._sealer = Sealer([new])
        assert [claim(real, store_id) for store_id in store_ids] == [PASSWORD] * 3
