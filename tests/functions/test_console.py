"""The pages of the console, as a person uses them: each verb by its form, and what is said when it fails."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from werkzeug.test import Client

from control_plane.domain.accounts import Role
from control_plane.domain.billing import Subscription, SubscriptionStatus
from control_plane.domain.errors import DatabaseUnavailableError
from control_plane.domain.life import Verb, possible
from control_plane.domain.store import Desired, Hold, StoreState
from control_plane.ports.billing import SubscriptionRow
from tests.builders import CUSTOMER
from tests.functions.browsing import Browser, Page
from tests.functions.people import MEMBER, a_session, meet, person_id
from tests.functions.test_signing_in import ANNA, SECRET
from tests.use_cases.platform import Platform

ORDER = {"title": "Anna's Töpferei", "name": "pottery", "admin_email": "anna@example.com", "plan": "business"}
WITHOUT_WORDS = {Verb.SUSPEND, Verb.RESUME, Verb.RETRY, Verb.DELETE, Verb.UNDELETE, Verb.RESET_PASSWORD}
# What is typed for a verb, so that it changes a store that is named "pottery".
TYPED: dict[Verb, dict[str, str]] = {
    Verb.RENAME: {"title": "Cups"},
    Verb.MOVE: {"name": "cups"},
    Verb.CHANGE_PLAN: {"plan": "business"},
    Verb.PURGE: {"name": "pottery"},
}
BEFORE = {Verb.RESUME: Verb.SUSPEND, Verb.UNDELETE: Verb.DELETE}


@pytest.fixture
def browser(console: Client, platform: Platform) -> Browser:
    """Anna's."""
    meet(platform)
    a_session(platform, ANNA, SECRET)
    return Browser(console, SECRET)


def a_store(platform: Platform, verb: Verb) -> UUID:
    """One of which the verb can be asked."""
    store = platform.ready()
    if verb is Verb.RETRY:
        given_up(platform, store.id)
    if before := BEFORE.get(verb):
        platform.ask(store.id, before)
    return store.id


def given_up(platform: Platform, store_id: UUID) -> None:
    tables = platform.tables
    tables.rows[store_id] = replace(
        tables.rows[store_id], state=StoreState.FAILED, reason="the cell has no room"
    )


def of(browser: Browser, store_id: UUID) -> Page:
    return browser.get(f"/stores/{store_id}")


class TestCreating:
    def test_from_nothing_to_a_store_page(self, browser: Browser, platform: Platform) -> None:
        start = browser.get("/")
        assert "You have no shop yet" in start.text
        assert ("a", {"class": "button", "href": "/stores/new"}) in start.tags
        form = browser.get("/stores/new")
        assert form.forms["/stores"]["admin_email"] == "anna@example.com"
        made = browser.send(form, "/stores", **ORDER)
        (row,) = platform.tables.rows.values()
        assert made.answer.headers["Location"] == f"/stores/{row.id}"
        assert {name: getattr(row, name) for name in ORDER} == ORDER
        assert row.customer_id == CUSTOMER
        page = browser.follow(made)
        assert page.status == 200
        assert "Waiting to be built" in page.text
        assert "Waiting to be built" in browser.get("/").text

    def test_plans_have_their_prices(self, browser: Browser) -> None:
        text = browser.get("/stores/new").text
        assert "Standard 29.00 EUR a month" in text
        assert "Business 99.00 EUR a month" in text

    def test_a_double_click_or_a_reload_makes_one_store(self, browser: Browser, platform: Platform) -> None:
        form = browser.get("/stores/new")
        first, second = (browser.send(form, "/stores", **ORDER) for _ in range(2))
        assert first.answer.headers["Location"] == second.answer.headers["Location"]
        assert len(platform.tables.rows) == 1

    def test_the_same_form_with_another_order_is_asked_about(
        self, browser: Browser, platform: Platform
    ) -> None:
        form = browser.get("/stores/new")
        browser.send(form, "/stores", **ORDER)
        again = browser.send(form, "/stores", **{**ORDER, "name": "cups"})
        assert again.status == 422
        assert "has made a shop already" in again.text
        assert len(platform.tables.rows) == 1
        assert browser.send(again, "/stores").status == 303
        assert len(platform.tables.rows) == 2

    @pytest.mark.parametrize(
        ("field", "typed", "says"),
        [
            ("title", "", "at least 1 character"),
            ("title", "x" * 201, "at most 200"),
            ("name", "Ä", "at least 3"),
            ("name", "-cups", "a-z, 0-9"),
            ("admin_email", "anna", "name@example.com"),
            ("plan", "gold", "There is no such plan: choose one of business, standard"),
            ("name", None, "required"),
        ],
    )
    def test_what_is_wrong_is_said_beside_its_field_and_the_rest_is_kept(
        self, browser: Browser, platform: Platform, field: str, typed: str | None, says: str
    ) -> None:
        page = browser.send(browser.get("/stores/new"), "/stores", **{**ORDER, field: typed})
        assert page.status == 400
        (error,) = re.findall(rf'<p class="error" id="{field}-error">(.*?)</p>', page.markup)
        assert says in error
        assert page.markup.count('class="error"') == 1
        assert described_by(page, f"{field}-error") == ["fieldset" if field == "plan" else "input"]
        kept = {name: value for name, value in page.forms["/stores"].items() if name in ORDER}
        expected = {name: value for name, value in ORDER.items() if name != field}
        assert {name: kept.get(name) for name in expected} == expected
        assert not platform.tables.rows

    def test_several_mistakes_are_said_at_once(self, browser: Browser) -> None:
        page = browser.send(browser.get("/stores/new"), "/stores", title="", name="", admin_email="")
        assert page.markup.count('class="error"') == 3
        assert page.markup.count('aria-invalid="true"') == 3

    def test_a_name_of_ones_own_is_said_beside_it(self, browser: Browser, platform: Platform) -> None:
        platform.create("pottery")
        page = browser.send(browser.get("/stores/new"), "/stores", **ORDER)
        assert page.status == 409
        (error,) = re.findall(r'<p class="error" id="name-error">(.*?)</p>', page.markup)
        assert "another shop with this name" in error
        assert browser.send(page, "/stores", name="cups").status == 303

    def test_as_many_as_the_account_may_have(self, browser: Browser, platform: Platform) -> None:
        platform.tables.accounts[CUSTOMER].plan = "standard"
        for number in range(20):
            platform.create(f"shop-{number}")
            platform.tables.accounts[CUSTOMER].requests_left = 1e9
        page = browser.send(browser.get("/stores/new"), "/stores", **ORDER)
        assert page.status == 409
        assert "as many shops as your account may have" in page.text
        assert page.forms["/stores"]["name"] == ORDER["name"]

    def test_while_the_database_is_away_nothing_typed_is_lost(
        self, browser: Browser, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        form = browser.get("/stores/new")
        with monkeypatch.context() as away:
            away.setattr(type(platform.create_store), "__call__", failing(DatabaseUnavailableError("away")))
            page = browser.send(form, "/stores", **ORDER)
        assert (page.status, page.answer.headers["Retry-After"]) == (503, "5")
        assert "away" not in page.text
        assert page.forms["/stores"] == {**form.forms["/stores"], **ORDER}
        assert browser.send(page, "/stores").status == 303

    def test_blanks_around_what_is_typed_do_not_count(self, browser: Browser, platform: Platform) -> None:
        browser.send(browser.get("/stores/new"), "/stores", **{**ORDER, "name": " pottery "})
        assert [row.name for row in platform.tables.rows.values()] == ["pottery"]


def described_by(page: Page, element: str) -> list[str]:
    return [tag for tag, given in page.tags if element in str(given.get("aria-describedby")).split()]


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


class TestList:
    def test_newest_first_a_page_at_a_time(self, browser: Browser, platform: Platform) -> None:
        for number in range(25):
            platform.clock.later(1)
            platform.create(f"shop-{number:02}")
        page = browser.get("/")
        names = re.findall(r"(shop-\d\d) ·", page.text)
        assert names == [f"shop-{number:02}" for number in range(24, 4, -1)]
        (older,) = (str(given["href"]) for tag, given in page.tags if "cursor" in str(given.get("href")))
        last = browser.get(older)
        assert re.findall(r"(shop-\d\d) ·", last.text) == [f"shop-{number:02}" for number in range(4, -1, -1)]
        assert "Older" not in last.text
        assert "Newest" in last.text

    def test_a_cursor_of_nobodys_is_said_to_be_one(self, browser: Browser) -> None:
        page = browser.get("/?cursor=x")
        assert page.status == 400
        assert "begin at the newest" in page.text

    def test_nothing_of_a_strangers(self, console: Client, browser: Browser, platform: Platform) -> None:
        platform.create("pottery")
        a_session(platform, "id-token-of-eve", "eves")
        assert "You have no shop yet" in Browser(console, "eves").get("/").text


class TestVerbs:
    @pytest.mark.parametrize("verb", Verb, ids=str)
    def test_each_is_a_form_of_the_page(self, browser: Browser, platform: Platform, verb: Verb) -> None:
        store = a_store(platform, verb)
        before = platform.tables.rows[store]
        done = browser.send(of(browser, store), f"/{store}/{verb}", **TYPED.get(verb, {}))
        assert done.answer.headers["Location"] == f"/stores/{store}"
        assert platform.tables.rows[store].generation == before.generation + 1
        entry = platform.tables.audit[store][-1]
        assert entry.action == f"{verb} asked"
        assert entry.actor.startswith("customer person ")
        assert browser.follow(done).status == 200

    def test_none_is_without_a_test(self) -> None:
        assert set(TYPED) | WITHOUT_WORDS == set(Verb)

    @pytest.mark.parametrize("verb", Verb, ids=str)
    def test_an_old_page_changes_nothing_and_says_so(
        self, browser: Browser, platform: Platform, verb: Verb
    ) -> None:
        store = a_store(platform, verb)
        old = of(browser, store)
        platform.ask(store, Verb.RENAME, "Another's title")
        if verb is Verb.RETRY:
            given_up(platform, store)
        before = platform.tables.rows[store]
        page = browser.send(old, f"/{store}/{verb}", **TYPED.get(verb, {}))
        assert page.status == 412
        assert "Somebody changed this shop after you had opened this page, so nothing was done" in page.text
        assert "Another's title" in page.text
        assert platform.tables.rows[store] == before
        assert browser.send(page, f"/{store}/{verb}", **TYPED.get(verb, {})).status == 303

    @pytest.mark.parametrize("generation", [None, "", "x", "-1", "²", "9" * 19])
    def test_a_form_without_its_generation_changes_nothing(
        self, browser: Browser, platform: Platform, generation: str | None
    ) -> None:
        store = platform.ready()
        page = browser.send(of(browser, store.id), "/suspend", generation=generation)
        assert page.status == 400
        assert platform.tables.rows[store.id].generation == 1

    @pytest.mark.parametrize("state", StoreState, ids=str)
    def test_the_page_has_exactly_what_is_possible(
        self, browser: Browser, platform: Platform, state: StoreState
    ) -> None:
        gone = state in (StoreState.DELETING, StoreState.DELETED)
        for holds in (frozenset(), frozenset({Hold.OWNER}), frozenset({Hold.BILLING})):
            store = platform.create(f"shop-{len(platform.tables.rows)}").id
            row = replace(
                platform.tables.rows[store],
                state=state, holds=holds, desired=Desired.DELETED if gone else Desired.RUNNING,
                ready_at=platform.tables.now, reason="a test's" if state is StoreState.FAILED else None,
            )  # fmt: skip
            platform.tables.rows[store] = row
            platform.tables.accounts[CUSTOMER].requests_left = 1e9
            page = of(browser, store)
            shown = page.asks - {"signout", "password", "log-in"}
            assert shown == {str(each) for each in possible(row.store(), Hold.OWNER)}
            answering = state in (StoreState.READY, StoreState.DEGRADED, StoreState.UPDATING) and not holds
            assert ("log-in" in page.asks) == answering

    def test_what_is_not_possible_is_told_in_words(self, browser: Browser, platform: Platform) -> None:
        store = platform.ready()
        old = of(browser, store.id)
        row = platform.tables.rows[store.id]
        platform.tables.rows[store.id] = replace(row, state=StoreState.DELETED, desired=Desired.DELETED)
        page = browser.send(old, "/suspend")
        assert page.status == 409
        assert "not possible just now" in page.text
        assert "Gone" in page.text
        assert page.asks == {"signout"}

    def test_a_mistake_is_said_beside_its_field_with_what_was_typed(
        self, browser: Browser, platform: Platform
    ) -> None:
        store = platform.ready()
        cases = [("move", "name", "-x-", "3 to 40"), ("rename", "title", "x" * 201, "200")]
        platform.create("cups")
        cases.append(("move", "name", "cups", "another shop with this name"))
        cases.append(("purge", "name", "potery", "confirm it with the name"))
        cases.append(("change-plan", "plan", "gold", "no such plan"))
        for verb, field, typed, says in cases:
            page = browser.send(of(browser, store.id), f"/{verb}", **{field: typed})
            assert page.status in (400, 409), verb
            (where, error), *more = re.findall(r'<p class="error" id="(.*?)-error">(.*?)</p>', page.markup)
            assert says in error
            assert not more
            if verb == "change-plan":
                assert (where, described_by(page, f"{verb}-error")) == (verb, ["fieldset"])
            else:
                assert page.forms[page.action(f"/{verb}")][field] == typed
                (marked,) = (given["id"] for _, given in page.tags if given.get("aria-invalid"))
                assert where == marked == f"{verb}-{field}"
                assert described_by(page, f"{where}-error") == ["input"]
            others = {"rename": ("title", store.title), "move": ("name", store.name), "purge": ("name", "")}
            for other, (takes, has) in others.items():
                assert other == verb or page.forms[page.action(f"/{other}")][takes] == has, verb
            assert (("details", {"open": None}) in page.tags) == (verb == "purge")
        assert platform.tables.rows[store.id].generation == 1

    def test_a_plan_that_is_too_small(self, browser: Browser, platform: Platform) -> None:
        store = platform.ready()
        platform.ask(store.id, Verb.CHANGE_PLAN, "business")
        platform.deliver(store.id)
        page = browser.send(of(browser, store.id), "/change-plan", plan="standard")
        assert page.status == 409
        assert "cannot shrink" in page.text
        assert page.forms[page.action("/change-plan")]["plan"] == "standard"

    def test_a_reload_of_where_a_form_was_sent_leads_back(self, browser: Browser, platform: Platform) -> None:
        store = platform.ready()
        for ending in [*map(str, Verb), "password", "log-in"]:
            led = browser.get(f"/stores/{store.id}/{ending}")
            assert (led.status, led.answer.headers["Location"]) == (303, f"/stores/{store.id}")
        assert browser.get("/stores").answer.headers["Location"] == "/"

    def test_support_sees_what_it_may_ask(self, browser: Browser, platform: Platform) -> None:
        store = platform.ready()
        given_up(platform, store.id)
        for row in platform.tables.of_people.sessions.values():
            row.kept = replace(row.kept, role=Role.SUPPORT)
        assert of(browser, store.id).asks == {"signout", "retry"}
        assert "Create store" not in browser.get("/").text
        page = browser.get("/stores/new")
        assert page.status == 403
        assert "You may not do this" in page.text


class TestWayIn:
    def test_the_password_is_shown_once(self, browser: Browser, platform: Platform) -> None:
        store = platform.ready()
        page = of(browser, store.id)
        shown = browser.send(page, "/password")
        assert shown.status == 200
        (password,) = re.findall(r'id="secret">(.+?)<', shown.markup)
        assert password
        assert password not in of(browser, store.id).markup
        again = browser.send(page, "/password")
        assert again.status == 410
        assert "not here any more" in again.text
        assert password not in again.markup

    def test_not_before_it_is_there(self, browser: Browser, platform: Platform) -> None:
        store = platform.create()
        page = of(browser, store.id)
        assert "password" not in page.asks
        early = browser.post(f"/stores/{store.id}/password", page.forms[page.action("/delete")])
        assert early.status == 409
        assert "Waiting to be built" in early.text

    def test_logging_in_leads_to_the_shop(self, browser: Browser, platform: Platform) -> None:
        store = platform.ready()
        page = browser.send(of(browser, store.id), "/log-in")
        assert page.status == 200
        refresh = page.answer.headers["Refresh"]
        assert refresh.startswith(f"0; url=http://{store.hostname}/?urumi-login=")
        (link,) = (given for tag, given in page.tags if tag == "a" and given.get("rel") == "noreferrer")
        assert refresh == f"0; url={link['href']}"
        assert platform.tables.audit[store.id][-1].action == "login link made"

    def test_not_into_a_store_that_does_not_answer(self, browser: Browser, platform: Platform) -> None:
        store = platform.create()
        page = of(browser, store.id)
        refused = browser.post(f"/stores/{store.id}/log-in", page.forms[page.action("/delete")])
        assert refused.status == 409
        assert "Refresh" not in refused.answer.headers


class TestSaid:
    """The state is told in words, with what to do."""

    CASES: tuple[tuple[dict[str, Any], str], ...] = (
        ({"state": StoreState.QUEUED, "applied_generation": 0, "ready_at": None}, "Waiting to be built"),
        ({"state": StoreState.PROVISIONING, "ready_at": None}, "Being built"),
        ({"state": StoreState.READY}, "Open Shoppers can buy"),
        ({"state": StoreState.READY, "generation": 2}, "About to change"),
        ({"state": StoreState.DEGRADED, "reason": "database: gone"}, "Not working just now"),
        ({"state": StoreState.UPDATING}, "Being changed"),
        ({"state": StoreState.UPDATING, "holds": frozenset({Hold.OWNER})}, "Closing"),
        ({"state": StoreState.SUSPENDED, "holds": frozenset({Hold.OWNER})}, "Closed by you"),
        ({"state": StoreState.SUSPENDED, "holds": frozenset({Hold.BILLING})}, "Closed: not paid for"),
        ({"state": StoreState.SUSPENDED, "holds": frozenset(Hold)}, "Closed by us"),
        ({"state": StoreState.DELETING, "desired": Desired.DELETED}, "Being removed"),
        ({"state": StoreState.DELETED, "desired": Desired.DELETED}, "Gone"),
        ({"state": StoreState.FAILED, "reason": "no room"}, "Stopped It could not be finished"),
        ({"state": StoreState.READY, "notice": "past-due"}, "A payment did not go through"),
    )

    @pytest.mark.parametrize(("changes", "says"), CASES, ids=[says for _, says in CASES])
    def test_in_each_state(
        self, browser: Browser, platform: Platform, changes: dict[str, Any], says: str
    ) -> None:
        store = platform.ready()
        platform.tables.rows[store.id] = replace(platform.tables.rows[store.id], **changes)
        page = of(browser, store.id)
        assert says in page.text
        if changes.get("reason"):
            assert f"The reason given: {changes['reason']}" in page.text
        moving = changes["state"] in ("QUEUED", "PROVISIONING", "UPDATING", "DELETING")
        moving = moving or changes.get("generation") == 2
        assert [bool(given.get("hx-get")) for _, given in page.tags if given.get("id") == "now"] == [moving]
        refresh = ("meta", {"http-equiv": "refresh", "content": f"5; url=/stores/{store.id}"})
        assert (refresh in page.tags) == moving

    def test_a_deletion_says_until_when_it_can_be_undone(self, browser: Browser, platform: Platform) -> None:
        store = platform.ready()
        said = re.search(r"kept until (\d+ \w+ \d{4})", of(browser, store.id).text)
        assert said
        browser.send(of(browser, store.id), "/delete")
        platform.deliver(store.id)
        platform.run_pass()
        deleted = of(browser, store.id)
        assert "Deleted It is kept until " + said[1] in deleted.text
        assert "undelete" in deleted.asks

    def test_the_subscription_with_what_comes_next(self, browser: Browser, platform: Platform) -> None:
        store, tables = platform.ready(), platform.tables
        state = Subscription(SubscriptionStatus.PAST_DUE, since=tables.now, known_at=tables.now)
        tables.subscriptions["sub_42"] = SubscriptionRow("sub_42", CUSTOMER, state, store.id)
        text = of(browser, store.id).text
        assert "sub_42: a payment did not go through" in text
        assert "then the shop is closed, with everything kept" in text

    def test_the_history_says_what_happened_and_who_did_it(
        self, console: Client, browser: Browser, platform: Platform
    ) -> None:
        store = platform.ready()
        browser.send(of(browser, store.id), "/suspend")
        a_session(platform, MEMBER, "bens")
        ben = Browser(console, "bens")
        ben.send(of(ben, store.id), "/resume")
        line = r'<span>(.*?)</span> <span class="quiet">by (.*?)</span>'
        found = re.findall(line, of(browser, store.id).markup)
        assert found[:2] == [("Opening asked for", "a person of your account"), ("Closing asked for", "you")]
        assert found[-1] == ("Ordered", "a program of yours")
        assert ("Open", "the platform") in found

    def test_nobody_is_named_in_it(self, console: Client, browser: Browser, platform: Platform) -> None:
        store = platform.ready()
        a_session(platform, MEMBER, "bens")
        ben = Browser(console, "bens")
        sessions = platform.tables.of_people.sessions.values()
        (bens,) = (row for row in sessions if row.kept.person_id == person_id(platform, MEMBER))
        for role in (Role.CUSTOMER, Role.SUPPORT, Role.OPERATOR):
            bens.kept = replace(bens.kept, role=role)
            given_up(platform, store.id)
            assert ben.send(of(ben, store.id), "/retry").status == 303
        page = of(browser, store.id)
        assert page.text.count("Tried again by the platform") == 2
        assert str(person_id(platform, MEMBER)) not in page.markup


class TestFollowing:
    """The part of the page that htmx asks for."""

    def test_it_says_nothing_until_something_is_new_and_stops_at_rest(
        self, browser: Browser, platform: Platform
    ) -> None:
        store = platform.create()
        page = of(browser, store.id)
        (now,) = (given for _, given in page.tags if given.get("id") == "now")
        assert now["hx-include"] == "#seen"
        path, seen = str(now["hx-get"]), seen_of(page)
        assert browser.get(f"{path}?seen={seen}").status == 204
        platform.deliver(store.id)
        part = browser.get(f"{path}?seen={seen}")
        assert part.status == 200
        assert "Being built" in part.text
        assert "<html" not in part.markup
        assert ("div", {"id": "said", "hx-swap-oob": "innerHTML"}) in part.tags
        assert browser.get(f"{path}?seen={seen_of(part)}").status == 204
        platform.cell.pods(store.id, ready=True)
        platform.run_pass()
        last = browser.get(f"{path}?seen={seen_of(part)}")
        assert last.status == 286
        assert "Open" in last.text
        assert "log-in" in last.asks
        assert browser.get(f"{path}?seen={seen_of(last)}").status == 286
        assert browser.send(last, "/suspend").status == 303

    def test_when_the_session_has_ended_the_whole_page_says_so(
        self, console: Client, platform: Platform
    ) -> None:
        part = Browser(console).get(f"/stores/{uuid4()}/now", **{"HX-Request": "true"})
        assert (part.status, part.answer.headers["HX-Refresh"]) == (401, "true")
        assert "HX-Refresh" not in Browser(console).get("/").answer.headers


def seen_of(page: Page) -> str:
    (seen,) = (given["value"] for _, given in page.tags if given.get("id") == "seen")
    return str(seen)


class TestSigningOut:
    def test_it_leads_to_the_page_that_says_how_to_sign_in(self, browser: Browser) -> None:
        page = browser.get("/")
        out = browser.send(page, "/signout")
        assert out.answer.headers["Location"] == "/"
        after = browser.follow(out)
        assert after.status == 401
        assert "urumi signin" in after.text
        assert browser.follow(browser.send(page, "/signout")).status == 401  # whoever is out may say so again


class TestLimits:
    def test_too_much_at_once(self, browser: Browser, platform: Platform) -> None:
        store = platform.ready()
        page = of(browser, store.id)
        account = platform.tables.accounts[CUSTOMER]
        account.requests_left, account.requests_at = 0.0, platform.tables.now
        refused = browser.send(page, "/suspend")
        assert refused.status == 429
        wait = refused.answer.headers["Retry-After"]
        assert f"Wait {wait} seconds" in refused.text

    def test_while_the_database_is_away(
        self, browser: Browser, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = platform.ready()
        page = of(browser, store.id)
        monkeypatch.setattr(type(platform.accounts), "enter", failing(DatabaseUnavailableError("10.0.0.1")))
        for answer in (browser.get("/"), browser.send(page, "/suspend"), browser.get(f"/stores/{store.id}")):
            assert (answer.status, answer.answer.headers["Retry-After"]) == (503, "5")
            assert "Wait some seconds" in answer.text
            assert "10.0.0.1" not in answer.markup
        part = browser.get(f"/stores/{store.id}/now", **{"HX-Request": "true"})
        assert part.status == 503
        assert "HX-Refresh" not in part.answer.headers  # the page stays, with what was typed, and asks again

    def test_what_nobody_foresaw(
        self, browser: Browser, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(type(platform.accounts), "enter", failing(RuntimeError("secret")))
        page = browser.get("/")
        assert page.status == 500
        assert "It is logged under the request id" in page.text
        assert "secret" not in page.markup
