"""The chart's values: pure, plain ASCII, and their digest tells releases apart."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.chart_values import chart_values, release_digest
from control_plane.domain.store import Hold, Notice, Store
from tests.builders import PLANS, STANDARD, a_store

GOLDEN = Path(__file__).with_name("golden")


@given(st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable() or "\x7f" in text))
def test_a_title_travels_whole_and_touches_nothing_else(title: str) -> None:
    values = chart_values(replace(a_store(), title=title), STANDARD, "store-credentials-1")
    assert json.dumps(values, ensure_ascii=False).isascii()
    assert base64.b64decode(values["store"].pop("title")).decode() == title
    other = chart_values(a_store(), STANDARD, "store-credentials-1")
    other["store"].pop("title")
    assert values == other


MOVED = a_store(
    plan="business",
    generation=7,
    title="Tea",
    holds=frozenset({Hold.BILLING}),
    hostname="tea-9xyz.shops.example:8000",
    former_hostname="pottery-ab2c.shops.example:8000",
    former_until=a_store().created_at,
    notice=Notice.PAST_DUE,
    admin_number=2,
)


@pytest.mark.parametrize(
    ("name", "store", "admin_secret"),
    [("new-standard", a_store(), ""), ("moved-unpaid-business", MOVED, "store-admin-2")],
)
def test_all_values_are_those_that_somebody_has_looked_at(name: str, store: Store, admin_secret: str) -> None:
    """The whole of it, so that no change of a plan or of the function goes unseen."""
    values = chart_values(store, PLANS[store.plan], "store-credentials-1", admin_secret=admin_secret)
    assert values == json.loads((GOLDEN / f"values-{name}.json").read_text())


def test_a_new_generation_is_a_new_release_and_the_same_one_is_not() -> None:
    first = chart_values(a_store(), STANDARD, "store-credentials-1")
    second = chart_values(replace(a_store(), generation=2), STANDARD, "store-credentials-1")
    assert release_digest("0.1.0", first) == release_digest("0.1.0", dict(reversed(first.items())))
    assert (
        len({release_digest("0.1.0", first), release_digest("0.1.0", second), release_digest("0.2.0", first)})
        == 3
    )


def test_what_all_stores_of_a_cell_share_is_told_and_is_never_a_stores_own() -> None:
    shared = {"images": {"store": "tea:1"}, "plugins": ["tea"], "storageClass": "fast"}
    own = chart_values(a_store(), STANDARD, "store-credentials-1")
    assert chart_values(a_store(), STANDARD, "store-credentials-1", shared) == {**shared, **own}
    keys = {"login": {"keys": {"2026-12": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}}}
    assert chart_values(a_store(), STANDARD, "store-credentials-1", keys) == {**keys, **own}
    # A cell that tries to speak for the store or its plan is not heard.
    others = {name: {"id": "another", "resources": {}} for name in own}
    assert chart_values(a_store(), STANDARD, "store-credentials-1", others) == own


def test_a_plan_says_the_runtime_class() -> None:
    walled = STANDARD.model_copy(update={"runtime_class": "gvisor"})
    assert chart_values(a_store(), walled, "store-credentials-1")["runtimeClass"] == "gvisor"
    assert walled.digest != STANDARD.digest


def test_a_newer_password_of_the_administrator_is_a_new_release() -> None:
    first = chart_values(a_store(), STANDARD, "store-credentials-1")
    assert first["credentials"] == {
        "secret": "store-credentials-1",
        "adminSecret": "",
        "adminNumber": 1,
    }
    store = replace(a_store(), admin_number=2)
    second = chart_values(store, STANDARD, "store-credentials-1", admin_secret="store-admin-2")
    assert second["credentials"] == {
        "secret": "store-credentials-1",
        "adminSecret": "store-admin-2",
        "adminNumber": 2,
    }
    assert release_digest("0.1.0", first) != release_digest("0.1.0", second)


def test_another_image_in_the_cell_is_a_new_release() -> None:
    def digest(store_image: str) -> str:
        shared = {"images": {"store": store_image}}
        return release_digest("0.1.0", chart_values(a_store(), STANDARD, "store-credentials-1", shared))

    assert digest("tea:1") == digest("tea:1")
    assert digest("tea:1") != digest("tea:2")
