"""From POST to a shop in which its owner works, on real pods."""

from __future__ import annotations

import base64
import html
import re
from urllib.parse import urlsplit

from tests.node.plugins import FILLER
from tests.node.shops import Shop, rest

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def test_the_front_page_answers_by_host_name_with_the_title_as_typed(shop: Shop):
    page = shop.browser().get("/")
    assert page.status_code == 200
    title = re.search("<title>(.*?)</title>", page.text, re.DOTALL)
    assert title is not None
    assert html.unescape(title[1]).startswith('Ann\'s "Teapots" & <more> 🫖')
    assert f"http://{shop.host}/" in page.text


def test_its_owner_logs_in_posts_and_uploads(shop: Shop):
    owner = shop.owner()
    dashboard = owner.get("/wp-admin/")
    assert dashboard.status_code == 200
    assert "wp-admin-bar" in dashboard.text
    written = rest(owner, "posts", json={"title": "Open", "content": "We are open.", "status": "publish"})
    headers = {"Content-Type": "image/png", "Content-Disposition": 'attachment; filename="dot.png"'}
    uploaded = rest(owner, "media", content=PIXEL, headers=headers)
    for made, expected in ((written["link"], b"We are open."), (uploaded["source_url"], PIXEL)):
        address = urlsplit(made)
        assert address.netloc == shop.host
        assert expected in shop.browser().get(address.path).content


def test_a_login_link_lets_its_owner_in_once(shop: Shop):
    link = urlsplit(shop.ask("login-link", 201)["url"])
    assert link.netloc == shop.host
    browser = shop.browser()
    opened = browser.get(f"{link.path}?{link.query}")
    assert (opened.status_code, urlsplit(opened.headers["Location"]).path) == (303, "/wp-admin/")
    assert "wp-admin-bar" in browser.get("/wp-admin/").text
    assert shop.browser().get(f"{link.path}?{link.query}").status_code == 403


def test_the_shop_its_cart_and_its_api_answer(shop: Shop):
    browser = shop.browser()
    assert "coming-soon" not in browser.get("/shop/").text
    assert browser.get("/cart/").status_code == 200
    assert browser.get("/wp-json/wc/store/v1/products").json() == []
    assert "items" in browser.get("/wp-json/wc/store/v1/cart").json()


def test_all_bundled_plugins_are_active(shop: Shop):
    plugins = shop.owner().get("/wp-admin/plugins.php").text
    for name in ("urumi-test-shop", FILLER):
        row = re.search(rf'<tr class="([^"]*)" data-slug="[^"]*" data-plugin="{name}/', plugins)
        assert row is not None
        assert row[1].split()[0] == "active"


def test_the_installer_is_closed_and_unknown_names_find_nothing(shop: Shop):
    assert shop.browser().post("/wp-admin/install.php?step=2").status_code == 403
    assert shop.browser().get("/", headers={"Host": "nobody.localhost"}).status_code == 404


def test_a_new_title_and_a_new_password_reach_the_shop_and_the_old_one_is_void(shop: Shop):
    old = shop.password
    title = "Käse <Co> 🧀"
    shop.world.request("PATCH", f"/v1/stores/{shop.id}", json={"title": title})
    shop.ask("reset-password", 202)
    shop.settle()
    del shop.password
    assert shop.password != old
    assert "wp-admin-bar" in shop.owner().get("/wp-admin/").text
    assert shop.log_in(old).status_code == 200  # the form again
    page = re.search("<title>(.*?)</title>", shop.browser().get("/").text, re.DOTALL)
    assert page
    assert html.unescape(page[1]).startswith(title)
