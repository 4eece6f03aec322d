"""A store that is READY: its pods taken away, its database stopped."""

from __future__ import annotations

import os
import signal
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.node.shops import Shop, kill, processes, rest

# A minute; ten with URUMI_STOPPED_SECONDS=600.
STOPPED = float(os.environ.get("URUMI_STOPPED_SECONDS") or 60)


@pytest.mark.parametrize("how", ["", "?gracePeriodSeconds=0"], ids=["gracefully", "by force"])
def test_without_both_pods_the_page_is_back_with_what_was_written(shop: Shop, how: str):
    written = rest(shop.owner(), "posts", json={"title": f"Kept {how}", "status": "publish"})
    gone = shop.pods()
    began = time.monotonic()
    for pod in gone:
        shop.world.cluster.delete(f"/api/v1/namespaces/{shop.namespace}/pods/{pod['metadata']['name']}{how}")
    _await_others(shop, {pod["metadata"]["uid"] for pod in gone})
    _await_page(shop)
    print(f"page again after {time.monotonic() - began:.1f} s")
    assert "Kept" in shop.browser().get(urlsplit(written["link"]).path).text
    assert shop.owner().get("/wp-admin/").status_code == 200


@pytest.mark.timeout(900)
def test_a_stopped_database_restarts_no_container(shop: Shop):
    uid = shop.pod("database")["metadata"]["uid"]
    (server,) = [each.id for each in processes() if each.pod == uid and "mariadbd" in each.line]
    before = shop.restarts("storefront"), shop.restarts("database")
    assert kill(server, signal.SIGSTOP)
    try:
        time.sleep(STOPPED)
        assert not _answers(shop), "the database was not stopped"
    finally:
        kill(server, signal.SIGCONT)
    _await_page(shop)
    assert (shop.restarts("storefront"), shop.restarts("database")) == before


def _await_others(shop: Shop, gone: set[str]) -> None:
    """Until the pods in place of those are ready, so that no page of a dying one is taken for theirs."""
    give_up = time.monotonic() + 60
    while True:
        others = [pod for pod in shop.pods() if pod["metadata"]["uid"] not in gone and _ready(pod)]
        if len(others) == len(gone):
            return
        assert time.monotonic() < give_up, shop.trouble()
        time.sleep(0.05)


def _ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _await_page(shop: Shop) -> None:
    give_up = time.monotonic() + 60
    while not _answers(shop):
        assert time.monotonic() < give_up, shop.trouble()
        time.sleep(0.1)


def _answers(shop: Shop) -> bool:
    try:
        with shop.browser() as browser:
            return browser.get("/", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
