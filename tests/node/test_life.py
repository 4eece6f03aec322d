"""A shop's life with real content: nothing of it is lost, whatever is asked of the store."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import urlsplit

import httpx
import pytest

from control_plane.plan_file import plans
from tests.node.shops import Shop, rest
from tests.node.test_a_real_shop import PIXEL

UPLOADS = "cd /var/www/html/wp-content/uploads && find . -type f -print0 | sort -z | xargs -0 sha256sum"
KINDS = ("posts", "pages", "media", "users")


@pytest.fixture(scope="module")
def owner(shop: Shop) -> httpx.Client:
    """A shop with something in it, and its owner, who stays logged in."""
    owner = shop.owner()
    headers = {"Content-Type": "image/png", "Content-Disposition": 'attachment; filename="dot.png"'}
    rest(owner, "posts", json={"title": "Open", "content": "We are <b>open</b>.", "status": "publish"})
    rest(owner, "media", content=PIXEL, headers=headers)
    return owner


def content(shop: Shop, owner: httpx.Client, *hosts: str) -> str:
    """A hash over all uploaded files and all that was written, whatever of these is the shop's host name."""
    files = shop.run("web", "sh", "-c", UPLOADS)
    assert files.code == 0
    assert "dot.png" in files.output
    nonce = owner.get("/wp-admin/admin-ajax.php", params={"action": "rest-nonce"}).text
    written = {}
    for kind in KINDS:
        answer = owner.get(
            f"/wp-json/wp/v2/{kind}", params={"context": "edit"}, headers={"X-WP-Nonce": nonce}
        )
        assert answer.status_code == 200, answer.text[:500]
        written[kind] = [
            {key: each.get(key) for key in ("id", "title", "content", "slug", "date", "email")}
            for each in json.loads(answer.text)
        ]
    assert [each["title"]["raw"] for each in written["posts"] if each["title"]["raw"] == "Open"]
    told = json.dumps([files.output, written])
    for host in (shop.host, *hosts):
        told = told.replace(host, "HOST")
    return hashlib.sha256(told.encode()).hexdigest()


def closed(shop: Shop, owner: httpx.Client) -> None:
    """Everybody sees the same plain notice."""
    answers = [shop.browser().get("/"), owner.get("/"), owner.get("/wp-admin/"), owner.post("/wp-login.php")]
    assert {answer.status_code for answer in answers} == {503}
    assert len({answer.content for answer in answers}) == 1
    assert "not open right now" in answers[0].text
    assert answers[0].headers["Retry-After"]


def test_a_suspended_shop_shows_a_notice_and_is_as_it_was_when_it_is_resumed(
    shop: Shop, owner: httpx.Client
) -> None:
    before = content(shop, owner)
    shop.ask("suspend", 202)
    shop.settle(state="SUSPENDED")
    assert shop.pods() == []
    closed(shop, owner)
    shop.ask("resume", 202)
    shop.settle()
    assert content(shop, owner) == before  # in the session that was there before


def test_a_deletion_that_is_undone_has_lost_nothing(shop: Shop, owner: httpx.Client) -> None:
    before = content(shop, owner)
    assert shop.world.request("DELETE", f"/v1/stores/{shop.id}").status_code == 202
    shop.settle(state="SUSPENDED")
    closed(shop, owner)
    shop.ask("undelete", 202)
    shop.settle()
    assert content(shop, owner) == before


def test_a_larger_plan_gives_the_same_shop_more(shop: Shop, owner: httpx.Client) -> None:
    before, business = content(shop, owner), plans().stores["business"]
    asked = shop.world.request("PATCH", f"/v1/stores/{shop.id}", json={"plan": "business"})
    assert asked.status_code == 202, asked.text
    shop.settle()
    assert content(shop, owner) == before
    web = next(each for each in shop.pod("storefront")["spec"]["containers"] if each["name"] == "web")
    assert web["resources"]["limits"]["memory"] == business.web.limits["memory"]
    claim = shop.get("/api/v1", "persistentvolumeclaims/storefront-content")
    assert claim["spec"]["resources"]["requests"]["storage"] == business.content_storage
    assert claim["status"]["capacity"]["storage"] == business.content_storage


def test_a_moved_shop_is_the_same_at_its_new_name_and_the_former_leads_there(
    shop: Shop, owner: httpx.Client
) -> None:
    before, former = content(shop, owner), shop.host
    visitor = shop.browser()
    answer = shop.world.request("PATCH", f"/v1/stores/{shop.id}", json={"name": "cups-anew"})
    assert answer.status_code == 202, answer.text
    shop.settle()
    del shop.host
    assert shop.host != former
    page = shop.browser().get("/")
    assert page.status_code == 200
    assert f"http://{shop.host}/" in page.text
    assert former not in page.text
    led = visitor.get("/shop/?a=b")
    assert (led.status_code, urlsplit(led.headers["Location"])) == (
        301,
        urlsplit(f"http://{shop.host}/shop/?a=b"),
    )
    # What was written with the former name in it keeps that, and is led on.
    assert content(shop, shop.owner(), former) == before
