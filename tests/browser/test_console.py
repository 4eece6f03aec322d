"""People with a shop to run, in a real browser, on the real platform."""

from __future__ import annotations

import re
from uuid import uuid4

from selenium.webdriver import ActionChains, Keys

from tests.browser.conftest import Opens
from tests.browser.window import Window
from tests.cluster.world import World

TITLE = 'Anna\'s <script>alert("1")</script> Töpferei'


def ask_for_a_shop(window: Window, title: str = TITLE) -> str:
    """Fill in the form, and send it by the keyboard; the shop's name."""
    name = f"shop-{uuid4().hex[:8]}"
    window.open("/")
    window.press("Create store")
    window.type("Title", title)
    window.type("Name", name)
    window.type("Your e-mail address", "anna@example.com")
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)
    window.until(lambda: re.fullmatch("/stores/[0-9a-f-]{36}", window.path), "no page of the shop")
    return name


def test_from_signing_in_to_signing_out(opens: Opens) -> None:
    window = opens()
    window.until_reads("Your shops")
    name = ask_for_a_shop(window)
    assert TITLE in window.text
    window.run("window.stays = true")
    window.until_reads("Open", "Shoppers can buy", "Log in to the shop", "First open")
    assert window.run("return window.stays"), "the page was loaded anew"
    window.press("Close the shop")
    window.until_reads("Closed by you", "Open it again")
    window.press("Open it again")
    window.until_reads("Shoppers can buy")
    window.press("Delete the shop")
    window.until_reads("Deleted", "You can undo that")
    window.press("Undo the deletion")
    window.until_reads("Shoppers can buy")
    window.press("Your shops")
    window.until_reads(name, TITLE, "Open")
    assert window.complaints() == []
    window.press("Sign out")
    window.until_reads("You have not signed in")
    window.driver.back()
    window.until_reads("You have not signed in")


def test_without_scripts_the_same(opens: Opens) -> None:
    window = opens(scripts=False)
    ask_for_a_shop(window)
    window.until_reads("This page loads itself anew")
    window.until_reads("Shoppers can buy")
    window.press("Close the shop")
    window.until_reads("Closed by you")
    assert window.complaints() == []


def test_a_double_click_makes_one_shop(opens: Opens, world: World) -> None:
    window = opens()
    window.open("/stores/new")
    name = f"shop-{uuid4().hex[:8]}"
    window.type("Title", "Twice")
    window.type("Name", name)
    window.type("Your e-mail address", "anna@example.com")
    ActionChains(window.driver).double_click(window.find("Create store")).perform()
    window.until(lambda: re.fullmatch("/stores/[0-9a-f-]{36}", window.path), "no page of the shop")
    assert len(world.sql("SELECT id FROM stores WHERE name = :name", name=name)) == 1
    assert window.complaints() == []


def test_a_mistake_is_said_where_it_is(opens: Opens) -> None:
    window = opens()
    name = ask_for_a_shop(window, "First")
    window.open("/stores/new")
    window.type("Title", "Second")
    window.type("Name", name)
    window.type("Your e-mail address", "anna@example.com")
    window.press("Create store")
    window.until_reads("You have another shop with this name")
    assert window.run("return document.querySelector('#title').value") == "Second"


def test_two_ways_into_the_shop(opens: Opens) -> None:
    window = opens()
    ask_for_a_shop(window)
    window.until_reads("Show the password, once")
    shop = window.path
    window.press("Show the password, once")
    window.until_reads("The password, this once")
    password = window.run("return document.querySelector('#secret').textContent")
    assert len(password) > 10
    window.press("I have kept it")
    window.until_reads("Shoppers can buy")
    assert window.path == shop
    assert password not in window.driver.page_source
    address = re.search(r"http://[a-z0-9-]+\.localhost:\d+", window.text)
    assert address
    window.press("Log in to the shop")
    # Nothing answers there: the pods only pretend. But it is where the browser went.
    window.until(
        lambda: window.driver.current_url.startswith(f"{address[0]}/?urumi-login="), "it never goes there"
    )


def test_nothing_is_wider_than_a_small_telephone(opens: Opens) -> None:
    window = opens()
    window.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True},
    )
    ask_for_a_shop(window, "W" * 100)
    window.until_reads("Shoppers can buy")
    shop = window.path
    for path in ("/", "/stores/new", shop, "/nothing"):
        window.open(path)
        assert window.run("return document.documentElement.scrollWidth") <= 320, path
