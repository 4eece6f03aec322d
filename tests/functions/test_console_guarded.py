"""What the console promises about safety: who may see and send what, and how each answer is guarded."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from werkzeug.test import Client

from control_plane.domain.life import Verb
from tests.builders import CUSTOMER, TOKENS
from tests.functions.browsing import Browser, Page
from tests.functions.people import ID_TOKENS, a_session, meet
from tests.functions.test_console import seen_of
from tests.functions.test_signing_in import ANNA, SECRET, SITE, STRANGER, WITH_PROOF
from tests.use_cases.platform import Platform

TYPED = {"title": "Cups", "name": "pottery", "plan": "business", "admin_email": "a@example.com"}
POSTS = ("/stores", *(f"/stores/ID/{each}" for each in (*Verb, "password", "log-in")))
GETS = ("/", "/stores/new", "/stores/ID", "/stores/ID/now")
NAME = "https://console.example"
EVIL = "\"'><script>alert(1)</script>&amp;<b onx=1>{{ 77 * 77 }}"


@pytest.fixture
def browser(console: Client, platform: Platform) -> Browser:
    """Anna's."""
    meet(platform)
    a_session(platform, ANNA, SECRET)
    return Browser(console, SECRET)


@pytest.fixture
def named(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The console has a name that is not the test client's."""
    monkeypatch.setenv("URUMI_PUBLIC_URL", NAME)


@pytest.fixture
def store(platform: Platform) -> UUID:
    """Hers."""
    return platform.ready().id


def fields(page: Page) -> dict[str, str]:
    """What any form of ours sends, whatever it is for."""
    return {**page.forms[page.action("/suspend")], **TYPED, "key": str(uuid4())}


def everything(platform: Platform) -> Any:
    """All that a refused form must leave as it is."""
    tables = platform.tables
    kept = (tables.rows, tables.audit, tables.unclaimed, tables.keys, tables.of_people.sessions)
    return copy.deepcopy((*kept, len(tables.outbox)))


def test_every_address_is_in_these_tests(console: Client) -> None:
    from functions.console.main import MAP

    found = {
        (method, re.sub("<any.*>", "VERB", str(rule)))
        for rule in MAP.iter_rules()
        for method in rule.methods or ()
    }
    posts = {("POST", re.sub("/ID", "/<store_id>", each)) for each in POSTS}
    for verb in Verb:
        posts.discard(("POST", f"/stores/<store_id>/{verb}"))
    gets = {("GET", re.sub("/ID", "/<store_id>", each)) for each in GETS}
    leading = {
        ("GET", "/stores"),
        ("GET", "/stores/<store_id>/password"),
        ("GET", "/stores/<store_id>/log-in"),
    }
    signing = {("GET", "/signin"), ("GET", "/signin/callback"), ("GET", "/signin/once"), ("POST", "/signout")}
    verbs = {("POST", "/stores/<store_id>/VERB"), ("GET", "/stores/<store_id>/VERB")}
    assert {each for each in found if each[0] != "HEAD"} == posts | gets | leading | signing | verbs | {
        ("GET", "/assets/<name>")
    }


class TestForgedForms:
    @pytest.mark.parametrize("forged", ["no proof", "a made-up proof", "the secret itself", "in the header"])
    def test_without_what_only_our_page_has(
        self, browser: Browser, platform: Platform, store: UUID, forged: str
    ) -> None:
        sent = fields(browser.get(f"/stores/{store}"))
        headers = {"X-CSRF-Token": sent["csrf"]} if forged == "in the header" else {}
        proofs = {"a made-up proof": "0" * 64, "the secret itself": SECRET}
        before = everything(platform)
        for path in (*POSTS, "/signout"):
            form = {**sent, "csrf": proofs.get(forged)}
            answer = browser.post(path.replace("ID", str(store)), form, headers)
            assert answer.status == 403, path
            assert "nothing was done" in answer.text
        assert everything(platform) == before

    @pytest.mark.parametrize("forged", list(WITH_PROOF))
    def test_from_another_site(self, browser: Browser, platform: Platform, store: UUID, forged: str) -> None:
        sent = fields(browser.get(f"/stores/{store}"))
        before = everything(platform)
        for path in (*POSTS, "/signout"):
            answer = browser.post(path.replace("ID", str(store)), sent, WITH_PROOF[forged])
            assert answer.status == 403, path
        assert everything(platform) == before

    def test_another_sessions_proof_is_none(
        self, console: Client, browser: Browser, platform: Platform, store: UUID
    ) -> None:
        a_session(platform, ID_TOKENS[STRANGER], "eves")
        theirs = Browser(console, "eves").get("/").forms["/signout"]["csrf"]
        sent = {**fields(browser.get(f"/stores/{store}")), "csrf": theirs}
        assert browser.post(f"/stores/{store}/suspend", sent).status == 403

    def test_our_own_pages_are_not_refused(self, browser: Browser, store: UUID) -> None:
        sent = fields(browser.get(f"/stores/{store}"))
        own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
        for path in POSTS:
            assert browser.post(path.replace("ID", str(store)), sent, own).status != 403, path

    @pytest.mark.usefixtures("named")
    def test_where_we_are_is_a_setting_and_no_header(self, browser: Browser, store: UUID) -> None:
        sent = fields(browser.get(f"/stores/{store}"))
        for path in (f"/stores/{store}/suspend", "/signout"):
            assert browser.post(path, sent, {"Origin": SITE}).status == 403, path
            assert browser.post(path, sent, {"Origin": NAME}).status == 303, path

    @pytest.mark.parametrize(
        ("body", "content_type"), [("{}", "application/json"), ("csrf=x", "text/plain"), ("", "")]
    )
    def test_what_is_no_form_is_not_taken(
        self, browser: Browser, platform: Platform, store: UUID, body: str, content_type: str
    ) -> None:
        before = everything(platform)
        headers = {"Cookie": f"__Host-session={SECRET}"}
        for path in (*POSTS, "/signout"):
            address = path.replace("ID", str(store))
            answer = browser.client.post(address, data=body, content_type=content_type, headers=headers)
            assert answer.status_code == 415, path
        assert everything(platform) == before

    @pytest.mark.parametrize(
        "body", ["csrf=x&csrf=x", "csrf=%FF", "&".join(f"f{number}=x" for number in range(60))], ids=len
    )
    def test_what_cannot_be_read_is_refused(self, browser: Browser, store: UUID, body: str) -> None:
        answer = browser.client.post(
            f"/stores/{store}/suspend",
            data=body,
            content_type="application/x-www-form-urlencoded",
            headers={"Cookie": f"__Host-session={SECRET}"},
        )
        assert answer.status_code == 400

    def test_a_form_has_64_kib_at_most(self, browser: Browser, store: UUID) -> None:
        sent = fields(browser.get(f"/stores/{store}"))
        assert browser.post("/stores", {**sent, "title": "x" * 70_000}).status == 413


def test_looking_changes_nothing(browser: Browser, platform: Platform, store: UUID) -> None:
    before = everything(platform)
    for path in (*GETS, *POSTS, "/signout", f"/stores/ID/now?seen={'0' * 16}"):
        for method in ("GET", "HEAD"):
            headers = {"Cookie": f"__Host-session={SECRET}"}
            browser.client.open(path.replace("ID", str(store)), method=method, headers=headers)
    assert everything(platform) == before


class TestWhoSeesWhat:
    @pytest.mark.parametrize("cookie", ["", "nobodys"])
    def test_nobody_is_told_how_to_sign_in(self, console: Client, store: UUID, cookie: str) -> None:
        nobody, found = Browser(console, cookie), set()
        for path in GETS:
            for store_id in (store, uuid4()):
                page = nobody.get(path.replace("ID", str(store_id)))
                assert page.status == 401, path
                found.add(page.markup)
        assert len(found) == 1
        assert "urumi signin" in found.pop()

    def test_nobody_changes_anything(self, console: Client, platform: Platform, store: UUID) -> None:
        before = everything(platform)
        sent = {**TYPED, "generation": "1", "csrf": "0" * 64, "key": "k"}
        for path in POSTS:
            assert Browser(console).post(path.replace("ID", str(store)), sent).status == 401, path
        assert everything(platform) == before

    @pytest.mark.parametrize("authorization", [f"Bearer {TOKENS[CUSTOMER]}", f"Bearer {ANNA}", "Basic x", ""])
    def test_no_token_is_a_session(self, browser: Browser, store: UUID, authorization: str) -> None:
        sent = fields(browser.get(f"/stores/{store}"))
        headers = {"Authorization": authorization}
        assert browser.get("/", **headers).status == 401
        assert browser.post(f"/stores/{store}/suspend", sent, headers).status == 401

    def test_a_strangers_store_is_answered_like_one_that_does_not_exist(
        self, console: Client, browser: Browser, platform: Platform, store: UUID
    ) -> None:
        sent = fields(browser.get(f"/stores/{store}"))
        a_session(platform, ID_TOKENS[STRANGER], "eves")
        eve = Browser(console, "eves")
        sent["csrf"] = eve.get("/").forms["/signout"]["csrf"]
        before = everything(platform)
        for path in (each for each in (*GETS, *POSTS) if "ID" in each):
            pages = []
            for store_id in (store, uuid4(), "x", str(store).upper().replace("-", "")):
                address = path.replace("ID", str(store_id))
                pages.append(eve.get(address) if path in GETS else eve.post(address, sent))
            assert {page.status for page in pages} == {404}, path
            assert len({page.markup for page in pages}) == 1, path
            assert len({str(page.answer.headers) for page in pages}) == 1, path
        assert everything(platform) == before

    def test_a_signed_in_browser_is_told_the_same_of_no_page(self, browser: Browser) -> None:
        for path in ("/nothing", "/stores/", "/stores/x/y/z", "/assets/x.css", "/assets/console.css"):
            assert browser.get(path).status == 404, path


class TestTypedText:
    def test_all_of_it_is_text(self, browser: Browser, platform: Platform) -> None:
        order = {"title": EVIL, "name": "pottery", "admin_email": "a'b@example.com", "plan": "standard"}
        made = browser.send(browser.get("/stores/new"), "/stores", **order)
        pages = [browser.follow(made), browser.get("/"), browser.get("/stores/new")]
        (row,) = platform.tables.rows.values()
        assert row.title == EVIL
        wrong = {"title": EVIL, "name": EVIL, "admin_email": EVIL, "plan": EVIL}
        pages.append(browser.send(pages[-1], "/stores", **wrong))
        pages.append(browser.send(pages[0], "/move", name=EVIL[:40]))
        pages.append(browser.send(pages[0], "/purge", name=EVIL[:40]))
        for page in pages:
            scripts = [given for tag, given in page.tags if tag == "script"]
            assert all(str(given["src"]).startswith("/assets/") for given in scripts)
            assert not [name for tag, given in page.tags for name in given if name.startswith("onx")]
            assert not [tag for tag, _ in page.tags if tag == "b"]
            assert "5929" not in page.text
        assert pages[3].forms["/stores"]["title"] == EVIL
        assert "<script>alert(1)</script>&amp;<b onx=1>{{ 77 * 77 }}" in pages[1].text

    def test_what_the_cluster_says_is_text_as_well(
        self, browser: Browser, platform: Platform, store: UUID
    ) -> None:
        platform.tables.rows[store] = replace(platform.tables.rows[store], reason=EVIL)
        page = browser.get(f"/stores/{store}")
        assert "&lt;script&gt;" in page.markup
        assert "<script>" not in page.markup


def all_answers(browser: Browser, store: UUID) -> Iterator[Page]:
    """One of each kind."""
    page = browser.get(f"/stores/{store}")
    yield page
    for path in (
        "/",
        "/?cursor=x",
        "/stores/new",
        "/nothing",
        "/%0A",  # of which the framework does not ask us
        "/signin",
        "/signin/once",
        f"/stores/{store}/now",
        "/stores",
    ):
        yield browser.get(path)
    sent = fields(page)
    for path in POSTS:
        yield browser.post(path.replace("ID", str(store)), sent)
    part = browser.get(f"/stores/{store}/now")
    yield part
    yield browser.get(f"/stores/{store}/now?seen={seen_of(part)}")
    yield browser.post(f"/stores/{store}/suspend", {**sent, "csrf": ""})
    yield browser.post("/stores", {"csrf": sent["csrf"]})
    yield Page(browser.client.delete("/"))
    yield browser.post("/signout", sent)
    yield browser.get("/")


def test_every_answer_is_guarded(browser: Browser, store: UUID) -> None:
    kinds = set()
    for page in all_answers(browser, store):
        kinds.add(page.status)
        headers = page.answer.headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy == {
            "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
            "connect-src": "'self'", "form-action": "'self'", "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }  # fmt: skip
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] in ("same-origin", "no-referrer")
        assert not [name for name, _ in headers if name.lower().startswith("access-control")]
        # Browsers send forms of a page with `no-referrer` as those of no origin at all.
        assert not (page.forms and headers["Referrer-Policy"] == "no-referrer")
    assert kinds >= {200, 204, 286, 303, 400, 401, 403, 404, 405, 412}


def test_no_page_has_a_script_or_a_style_in_it(browser: Browser, store: UUID) -> None:
    for page in all_answers(browser, store):
        for tag, given in page.tags:
            assert tag not in ("style", "iframe", "object", "embed", "base"), page.markup
            assert tag != "script" or str(given["src"]).startswith("/assets/")
            assert not [name for name in given if name == "style" or name.startswith("on")]
            for name in ("src", "href", "action"):
                if tag != "a" and given.get(name):
                    assert str(given[name]).startswith("/")
        assert "hx-on" not in page.markup
        assert "hx-vals" not in page.markup


def test_htmx_is_told_to_evaluate_nothing(browser: Browser, store: UUID) -> None:
    (config,) = (
        given["content"]
        for tag, given in browser.get(f"/stores/{store}").tags
        if given.get("name") == "htmx-config"
    )
    assert json.loads(str(config)) == {
        "allowEval": False,
        "allowScriptTags": False,
        "includeIndicatorStyles": False,
        "selfRequestsOnly": True,
        "historyEnabled": False,
    }


def test_every_field_has_a_label_and_every_page_a_title(browser: Browser, store: UUID) -> None:
    for page in all_answers(browser, store):
        if not page.markup or page.status == 286:
            continue
        labelled = {given.get("for") for tag, given in page.tags if tag == "label"}
        for tag, given in page.tags:
            if tag == "input" and given.get("type") not in ("hidden", "radio"):
                assert given["id"] in labelled
                for each in str(given["aria-describedby"]).split():
                    assert f'id="{each}"' in page.markup
        ids = [given["id"] for _, given in page.tags if given.get("id")]
        assert len(ids) == len(set(ids))
        if "<html" in page.markup:
            assert len([tag for tag, _ in page.tags if tag == "h1"]) == 1
            assert re.search(r"<title>[^<]+ · Urumi</title>", page.markup)


def test_files_are_kept_for_good_and_change_their_address(
    console: Client, browser: Browser, store: UUID
) -> None:
    page = browser.get(f"/stores/{store}")
    found = {
        str(given.get("src") or given.get("href")) for tag, given in page.tags if tag in ("script", "link")
    }
    assert len(found) == 4
    for address in found:
        assert re.fullmatch(r"/assets/[a-z.]+-[0-9a-f]{16}\.(css|js|svg)", address)
        answer = console.get(address)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        text = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
        wanted = {**text, "svg": "image/svg+xml"}
        assert answer.headers["Content-Type"] == wanted[address.rpartition(".")[2]]
        assert f"-{hashlib.sha256(answer.get_data()).hexdigest()[:16]}." in address
        assert console.get(re.sub("-[0-9a-f]{16}", "-" + "0" * 16, address)).status_code == 404
