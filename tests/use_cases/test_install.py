"""The steps of an installation: each may be the last of its process, or come long after its lease."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from control_plane.domain.life import Verb
from control_plane.domain.store import Actor, StoreState
from tests.use_cases.platform import Platform

_S = StoreState
_ACTOR = Actor("test", "test")
CLUSTER_STEPS = ("ensure_namespace", "ensure_access", "ensure_quota", "ensure_credentials")
RELEASE_STEPS = ("free", "apply")


@pytest.mark.parametrize("step", [*CLUSTER_STEPS, *RELEASE_STEPS])
def test_a_worker_that_was_stopped_before_a_step_changes_nothing_when_it_goes_on(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store = platform.create()
    owner: Any = platform.cluster if step in CLUSTER_STEPS else platform.releases
    original = getattr(type(owner), step)

    def after_hours(self: Any, *arguments: Any) -> Any:
        platform.clock.later(7200)  # SIGSTOP, and SIGCONT two hours later
        return original(self, *arguments)

    if step == "free":
        _leave_locked(platform, store.id)
    with monkeypatch.context() as patched:
        patched.setattr(type(owner), step, after_hours)
        before = repr(platform.cell.of(store.id))
        platform.deliver(store.id)
    row, found = platform.tables.rows[store.id], platform.cell.of(store.id)

    assert row.applied_generation == 0
    assert row.lease_holder  # it could not even let go of it
    if step in CLUSTER_STEPS:
        seen = repr(found)
        assert (step == "ensure_namespace") == (seen == before)
        reached = CLUSTER_STEPS.index(step)
        made = [bool(found), bool(found and found.access), bool(found and found.quota)]
        assert made == [reached > at for at in range(3)]
    assert found is None or found.secret is None or step in RELEASE_STEPS
    assert found is None or (found.revision, found.locked) == (0, step == "free")

    platform.deliver(store.id)  # another worker finds the lease ended
    assert platform.tables.rows[store.id].applied_generation == 1


def test_a_locked_release_is_freed_after_the_audit_was_told(platform: Platform) -> None:
    store = platform.create()
    _leave_locked(platform, store.id)
    platform.deliver(store.id)
    assert platform.tables.rows[store.id].applied_generation == 1
    assert "release freed" in [entry.action for entry in platform.tables.audit[store.id]]


def test_a_release_that_is_not_locked_is_not_freed(platform: Platform) -> None:
    store = platform.create()
    platform.deliver(store.id)
    assert "release freed" not in [entry.action for entry in platform.tables.audit[store.id]]


def test_a_store_whose_passwords_are_gone_is_given_up_and_gets_no_new_ones(platform: Platform) -> None:
    store = platform.ready()
    _ask_anew(platform, store.id)
    found = platform.cell.of(store.id)
    assert found
    found.secret = None

    platform.give_up(store.id)

    row = platform.tables.rows[store.id]
    assert (row.state, row.reason) == (_S.FAILED, "the Secret is gone")
    assert (found.secret, platform.credentials.made, found.revision) == (None, 1, 1)


def test_a_store_whose_secret_is_another_one_is_given_up_before_helm(platform: Platform) -> None:
    store = platform.ready()
    _ask_anew(platform, store.id)
    found = platform.cell.of(store.id)
    assert found
    found.secret_uid = "somebody else's"

    platform.give_up(store.id)

    row = platform.tables.rows[store.id]
    assert row.state is _S.FAILED
    assert "is not the one that the store was installed with" in (row.reason or "")
    assert found.revision == 1


def test_a_store_that_is_given_up_leaves_a_dead_letter(platform: Platform) -> None:
    store = platform.ready()
    _ask_anew(platform, store.id)
    found = platform.cell.of(store.id)
    assert found
    found.secret_uid = "somebody else's"
    platform.give_up(store.id)

    (letter,) = platform.tables.dead_letters.values()
    assert (letter.store_id, letter.generation, letter.kind) == (store.id, 2, "refused")
    assert letter.reason == platform.reason(store.id)


def test_an_attempt_is_on_record_each_time_that_the_lease_is_taken(platform: Platform) -> None:
    store = platform.create()
    platform.deliver(store.id)
    platform.deliver(store.id)
    assert list(platform.tables.attempts) == [(store.id, 1)]


def test_another_login_key_of_the_cell_reaches_a_store_with_its_next_intent(platform: Platform) -> None:
    store = platform.ready()

    def known() -> Any:
        found = platform.cell.of(store.id)
        return found and found.values.get("login")

    keys = {"keys": {"k1": "old", "k2": "new"}}
    install = replace(platform.provision.install, cell_values={"login": keys})
    platform.provision = replace(platform.provision, install=install)  # started anew with other settings
    platform.deliver(store.id)
    assert known() is None

    platform.ask(store.id, Verb.RENAME, "Pots")
    platform.deliver(store.id)
    assert known() == keys


def _leave_locked(platform: Platform, store_id: Any) -> None:
    """A worker that was killed in Helm, and its lease over."""
    leased = platform.work.take(store_id, seconds=30)
    assert leased
    store, lease = leased.store, leased.lease
    platform.cluster.ensure_namespace(store, lease)
    found = platform.cell.of(store_id)
    assert found
    found.locked = True
    platform.clock.later(31)


def _ask_anew(platform: Platform, store_id: Any) -> None:
    """The row's intent changes: there is something to do again."""
    row = platform.tables.rows[store_id]
    platform.tables.write(row, _ACTOR, "changed", generation=row.generation + 1)
