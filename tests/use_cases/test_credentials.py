"""An owner's way into their store, from the order to the claim."""

from __future__ import annotations

import pytest

from control_plane.domain.errors import ClaimedError, NotNowError
from control_plane.domain.life import Verb
from control_plane.domain.store import StoreState
from tests.builders import CUSTOMER, shown_by
from tests.use_cases.platform import Platform

ME = shown_by(CUSTOMER)


def test_the_password_that_is_claimed_is_the_stores(platform: Platform) -> None:
    store = platform.create()
    with pytest.raises(NotNowError):
        platform.claim(ME, store.id, cause="request 1")
    platform.deliver(store.id)
    platform.cell.pods(store.id, ready=True)
    platform.run_pass()
    namespace = platform.cell.of(store.id)
    assert namespace
    assert namespace.secret
    assert platform.claim(ME, store.id, cause="request 2") == namespace.secret["admin-password"]
    with pytest.raises(ClaimedError):
        platform.claim(ME, store.id, cause="request 3")


def test_a_retry_after_a_failure_before_the_secret_keeps_the_password(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = platform.create()
    platform.cell.reachable = True
    real = type(platform.cluster).ensure_credentials

    def dies(self: object, store: object, credentials: object, lease: object) -> None:
        credentials.fresh()  # type: ignore[attr-defined]
        raise RuntimeError("killed before the Secret was made")

    monkeypatch.setattr(type(platform.cluster), "ensure_credentials", dies)
    with pytest.raises(RuntimeError):
        platform.deliver(store.id)
    (first,) = platform.tables.unclaimed.values()
    monkeypatch.setattr(type(platform.cluster), "ensure_credentials", real)
    platform.clock.later(60)
    platform.deliver(store.id)
    platform.cell.pods(store.id, ready=True)
    platform.run_pass()
    namespace = platform.cell.of(store.id)
    assert namespace
    assert namespace.secret
    assert namespace.secret["admin-password"] == first[0]
    assert platform.claim(ME, store.id, cause="request 2") == first[0]


def test_a_reset_reaches_the_store_and_the_first_password_is_void(platform: Platform) -> None:
    store = platform.ready()
    platform.ask(store.id, Verb.RESET_PASSWORD)
    with pytest.raises(NotNowError):
        platform.claim(ME, store.id, cause="request 3")
    platform.deliver(store.id)
    namespace = platform.cell.of(store.id)
    assert namespace
    assert namespace.secret
    assert namespace.values["credentials"]["adminSecret"] == "admin-2"
    assert namespace.values["credentials"]["adminNumber"] == 2
    platform.cell.pods(store.id, ready=True)
    platform.run_pass()
    assert platform.state(store.id) is StoreState.READY
    claimed = platform.claim(ME, store.id, cause="request 4")
    assert claimed == namespace.resets[2] != namespace.secret["admin-password"]


def test_a_login_link_leads_into_the_store_that_answers(platform: Platform) -> None:
    store = platform.ready()
    link = platform.login(ME, store.id, cause="request 2")
    assert link == f"http://{store.hostname}/?urumi-login=token-for-{store.id}"
    assert [each.action for each in platform.tables.audit[store.id]][-1] == "login link made"


def test_no_login_link_for_a_store_that_does_not_answer(platform: Platform) -> None:
    store = platform.create()
    with pytest.raises(NotNowError):
        platform.login(ME, store.id, cause="request 2")
