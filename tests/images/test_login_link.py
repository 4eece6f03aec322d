"""A login link opens wp-admin once, and nothing that is like one does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_plane.adapters.login_links import LoginLinks
from dev.machine.keys import Keys
from tests.images.containers import Answer
from tests.images.shop import ADDRESS, HOST, Roots, Shop

STORE = "3f2b8c1e-9d47-4a6b-8e05-1c7d2f9a0b34"
OTHER_STORE = "7c1d5e90-02ab-4f3c-9b68-e4a1f0d25c77"
KEY, NEXT_KEY, STRANGER = (Ed25519PrivateKey.generate() for _ in range(3))
PUBLIC = KEY.public_key().public_bytes_raw()
REFUSED = "This login link is not valid any more: ask for a new one.\n"

SENT: list[str] = []
"""Every token that was sent; none may be in a log."""

# What an owner's plugins do: count logins, begin a page of their own, keep pages, close the shop.
HABITS = """<?php
add_action('wp_login', function (string $login, WP_User $user): void {
    $kept = defined('DONOTCACHEPAGE') && DONOTCACHEPAGE ? 'not kept' : 'kept';
    file_put_contents('/tmp/logins', "$login $user->ID $kept\\n", FILE_APPEND);
}, 10, 2);
add_action('init', function (): void { ob_start(fn (string $page): string => "kept: $page"); echo 'begun'; });
add_action('template_redirect', fn () => wp_die('Back soon', '', ['response' => 503]));
"""


@pytest.fixture(scope="module")
def shop(roots: Roots, volumes: Path) -> Iterator[Shop]:
    """A store that is READY and has one key."""
    folder = Path(tempfile.mkdtemp(prefix="urumi-login-"))
    folder.chmod(0o755)
    made = Shop(folder, roots, ("urumi-test-shop", "akismet"))
    try:
        made.take(volumes)
        (folder / "config/store-id").write_text(STORE)
        give_keys(made, {"k1": KEY})
        made.up()
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


@pytest.fixture
def plugin(shop: Shop) -> Iterator[None]:
    """The store with the habits."""
    file = shop.folder / "content/mu-plugins/habits.php"
    file.parent.mkdir(exist_ok=True)
    file.write_text(HABITS)
    yield
    file.unlink()


def give_keys(shop: Shop, keys: Mapping[str, Ed25519PrivateKey]) -> None:
    public = {name: key.public_key().public_bytes_raw() for name, key in keys.items()}
    text = json.dumps({name: base64.b64encode(raw).decode() for name, raw in public.items()})
    (shop.folder / "config/login-keys").write_text(text)


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def part(content: object) -> str:
    return base64url(json.dumps(content).encode())


def header(**changes: object) -> dict[str, object]:
    return _changed({"alg": "EdDSA", "kid": "k1", "typ": "JWT"}, changes)


def claims(*, age: int = 0, **changes: object) -> dict[str, object]:
    """As the control plane makes them, `age` seconds ago."""
    now = int(time.time()) - age
    own = {"iss": "urumi", "aud": STORE, "sub": "admin", "iat": now, "exp": now + 60}
    return _changed({**own, "jti": str(uuid.uuid4())}, changes)


def _changed(known: dict[str, Any], changes: Mapping[str, object]) -> dict[str, object]:
    """With the changes; None takes a name away."""
    return {name: value for name, value in {**known, **changes}.items() if value is not None}


def signed(
    payload: dict[str, object], *, head: dict[str, object] | None = None, key: Ed25519PrivateKey = KEY
) -> str:
    text = f"{part(head or header())}.{part(payload)}"
    return f"{text}.{base64url(key.sign(text.encode()))}"


def open_link(shop: Shop, token: str, **more: Any) -> Answer:
    SENT.append(token)
    return shop.ask(f"/?urumi-login={token}", **more)


def head_of(shop: Shop, path: str) -> int:
    """The status that a HEAD of that path gets."""
    code = (
        "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 80, timeout=15);"
        f"c.request('HEAD', sys.argv[1], headers={{'Host': {HOST!r}}}); print(c.getresponse().status)"
    )
    command = [*shop.network.entering, sys.executable, "-IS", "-c", code, path]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


def lines(shop: Shop) -> list[str]:
    """What the store's log says about links."""
    return re.findall(r"urumi-login: (.*?)(?:, referer: .*)?$", shop.web.output(), re.MULTILINE)


def assert_opens(shop: Shop, token: str) -> Answer:
    answer = open_link(shop, token)
    assert answer.status == 303, (answer, lines(shop)[-3:])
    assert answer.headers["location"] == f"{ADDRESS}/wp-admin/"
    assert_kept_nowhere(answer)
    return answer


def assert_refused(shop: Shop, answer: Answer, why: str) -> None:
    assert (answer.status, answer.body, answer.cookies) == (403, REFUSED, []), lines(shop)[-3:]
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert_kept_nowhere(answer)
    assert lines(shop)[-1] == f"refused: {why}"


def assert_kept_nowhere(answer: Answer) -> None:
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_link_opens_wp_admin_as_the_administrator_once(shop: Shop) -> None:
    token = signed(claims())
    answer = assert_opens(shop, token)
    assert answer.body == ""
    session = {"Cookie": "; ".join(cookie.partition(";")[0] for cookie in answer.cookies)}
    assert all("httponly" in cookie.lower() for cookie in answer.cookies)
    page = shop.ask("/wp-admin/profile.php", headers=session)
    assert page.status == 200
    assert "wpadminbar" in page.body
    assert re.search(r'name="user_login"[^>]* value="admin"', page.body)
    assert shop.ask("/wp-admin/plugins.php", headers=session).status == 200
    assert re.fullmatch(r"admin comes in by link [0-9a-f-]{36}", lines(shop)[-1])
    assert_refused(shop, open_link(shop, token), "it has been used")


def tampered(place: int) -> str:
    """A right token with one bit of one part changed."""
    parts = signed(claims()).split(".")
    raw = bytearray(base64.urlsafe_b64decode(parts[place] + "=="))
    raw[len(raw) // 2] ^= 1
    parts[place] = base64url(raw)
    return ".".join(parts)


def for_us_by_the_payload_only() -> str:
    """Another store's token, with our id put into it."""
    head, _, signature = signed(claims(aud=OTHER_STORE)).split(".")
    return f"{head}.{part(claims())}.{signature}"


def hmac_with(secret: bytes) -> str:
    """What a store would take that lets the token choose how it is checked."""
    text = f"{part(header(alg='HS256'))}.{part(claims())}"
    return f"{text}.{base64url(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def cut() -> str:
    """A token whose signature is a byte too short."""
    text, _, signature = signed(claims()).rpartition(".")
    return f"{text}.{base64url(base64.urlsafe_b64decode(signature + '==')[:-1])}"


WRONG_SIGNATURE, NO_TOKEN = "its signature is wrong", "it is no token"
NOT_OURS, TOO_LONG = "its header is not ours", "it lives too long"
WRONG: dict[str, tuple[Callable[[], str], str]] = {
    "another store's": (lambda: signed(claims(aud=OTHER_STORE)), "it is for another store"),
    "for several stores": (lambda: signed(claims(aud=[STORE])), "it is for another store"),
    "for no store": (lambda: signed(claims(aud=None)), "it is for another store"),
    "another user's": (lambda: signed(claims(sub="owner")), "it is for another user"),
    "somebody else's": (lambda: signed(claims(iss="somebody")), "somebody else made it"),
    "expired": (lambda: signed(claims(age=66)), "it has expired"),
    "from the future": (lambda: signed(claims(age=-20)), "it is from the future"),
    "too long a life": (lambda: signed(claims(exp=int(time.time()) + 61)), TOO_LONG),
    "no life": (lambda: signed(claims(exp=int(time.time()) - 1)), TOO_LONG),
    "no end": (lambda: signed(claims(exp=None)), TOO_LONG),
    "no begin": (lambda: signed(claims(iat=None)), TOO_LONG),
    "times as texts": (lambda: signed(claims(exp=str(int(time.time()) + 60))), TOO_LONG),
    "no id": (lambda: signed(claims(jti=None)), "it has no id"),
    "an id with an end of its own": (lambda: signed(claims(jti=f"{uuid.uuid4()}\n")), "it has no id"),
    "payload tampered with": (lambda: tampered(1), WRONG_SIGNATURE),
    "signature tampered with": (lambda: tampered(2), WRONG_SIGNATURE),
    "another's signature": (for_us_by_the_payload_only, WRONG_SIGNATURE),
    "a stranger's key": (lambda: signed(claims(), key=STRANGER), WRONG_SIGNATURE),
    "no signature": (lambda: f"{part(header())}.{part(claims())}.", WRONG_SIGNATURE),
    "a short signature": (cut, WRONG_SIGNATURE),
    "algorithm none": (lambda: f"{part(header(alg='none'))}.{part(claims())}.", "its algorithm is not EdDSA"),
    "no algorithm": (lambda: signed(claims(), head=header(alg=None)), "its algorithm is not EdDSA"),
    "another spelling": (lambda: signed(claims(), head=header(alg="eddsa")), "its algorithm is not EdDSA"),
    "HS256 with the public key": (lambda: hmac_with(PUBLIC), "its algorithm is not EdDSA"),
    "HS256 with its base64": (lambda: hmac_with(base64.b64encode(PUBLIC)), "its algorithm is not EdDSA"),
    "unknown key": (lambda: signed(claims(), head=header(kid="k2")), "its key is not known here"),
    "no key": (lambda: signed(claims(), head=header(kid=None)), NOT_OURS),
    "a key that is no text": (lambda: signed(claims(), head=header(kid=["k1"])), NOT_OURS),
    "another type": (lambda: signed(claims(), head=header(typ="at+jwt")), NOT_OURS),
    "what must be understood": (lambda: signed(claims(), head=header(crit=["x"])), NOT_OURS),
    "padding": (lambda: signed(claims()) + "==", NO_TOKEN),
    "two parts": (lambda: signed(claims()).rpartition(".")[0], NO_TOKEN),
    "four parts": (lambda: signed(claims()) + ".x", NO_TOKEN),
    "no JSON": (lambda: f"{base64url(b'{')}.{part(claims())}.x", NO_TOKEN),
    "a number": (lambda: f"{part(7)}.{part(claims())}.{base64url(64 * b'x')}", NO_TOKEN),
    "too long": (lambda: signed(claims(more="x" * 2048)), NO_TOKEN),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_right_in_all_is_refused(shop: Shop, what: str) -> None:
    make, why = WRONG[what]
    assert_refused(shop, open_link(shop, make()), why)


@pytest.mark.parametrize("query", ["urumi-login", "urumi-login=", "urumi-login[]=x", "urumi-login=%00%0Ax"])
def test_what_is_no_text_is_refused(shop: Shop, query: str) -> None:
    assert_refused(shop, shop.ask(f"/?{query}"), NO_TOKEN)


@pytest.mark.parametrize("age", [-3, 62])
def test_clocks_may_differ_by_seconds(shop: Shop, age: int) -> None:
    assert_opens(shop, signed(claims(age=age)))


def test_of_many_at_once_one_comes_in(shop: Shop) -> None:
    assert_opens(shop, signed(claims()))
    token = signed(claims())
    with ThreadPoolExecutor(9) as pool:
        # All of them come as far as the table, and go on at one moment.
        held = pool.submit(shop.sql, "LOCK TABLES urumi_login_links WRITE; DO SLEEP(4)")
        time.sleep(0.5)
        answers = list(pool.map(lambda _: open_link(shop, token), range(8)))
        held.result()
    assert sorted(answer.status for answer in answers) == [303, *[403] * 7]
    assert [answer.cookies for answer in answers].count([]) == 7


def test_only_a_get_opens_and_nothing_else_uses_the_link_up(shop: Shop) -> None:
    token = signed(claims())
    SENT.append(token)
    assert head_of(shop, f"/?urumi-login={token}") == 403
    assert lines(shop)[-1] == "refused: the request is no GET"
    assert_refused(shop, open_link(shop, token, form={"x": "y"}), "the request is no GET")
    answer = shop.ask("/", form={"urumi-login": token})
    assert answer.status != 303
    assert not [cookie for cookie in answer.cookies if cookie.startswith("wordpress_logged_in")]
    assert_opens(shop, token)


def test_a_user_without_the_rights_comes_in_by_no_link(shop: Shop) -> None:
    token = signed(claims())
    change = "$user = get_user_by('login', 'admin'); $user->set_role('{}'); $user->add_cap('{}', {});"
    for less in (("author", "manage_options", "true"), ("administrator", "manage_options", "false")):
        shop.php(change.format(*less))
        assert_refused(shop, open_link(shop, token), "the user is no administrator any more")
    shop.sql("UPDATE wp_users SET user_login = 'boss' WHERE user_login = 'admin'")
    assert_refused(shop, open_link(shop, token), "the user is gone")
    shop.sql("UPDATE wp_users SET user_login = 'admin' WHERE user_login = 'boss'")
    shop.php(change.format("administrator", "manage_options", "true"))
    assert_opens(shop, token)


def test_a_store_without_keys_refuses_all_and_another_key_needs_no_restart(shop: Shop) -> None:
    token = signed(claims())
    file = shop.folder / "config/login-keys"
    for content in ("{}", "", "null", "[]"):
        file.write_text(content)
        assert_refused(shop, open_link(shop, token), "this store has no keys")
    file.unlink()
    assert_refused(shop, open_link(shop, token), "it could not be checked: RuntimeException")
    for content in ({"k1": "short"}, {"k1": None}, {"k1": [base64.b64encode(PUBLIC).decode()]}):
        file.write_text(json.dumps(content))
        assert_refused(shop, open_link(shop, token), "its key is not known here")
    give_keys(shop, {"k1": KEY, "k2": NEXT_KEY})
    assert_opens(shop, signed(claims(), head=header(kid="k2"), key=NEXT_KEY))
    assert_refused(shop, open_link(shop, signed(claims(), head=header(kid="k2"))), WRONG_SIGNATURE)
    assert_opens(shop, token)
    give_keys(shop, {"k1": KEY})


def test_the_signing_key_is_changed_while_links_go_on_working(shop: Shop) -> None:
    """As docs/operating.md has it, with what the control plane signs and what it tells stores."""
    seeds = {
        kid: base64.b64encode(key.private_bytes_raw()).decode()
        for kid, key in (("k1", KEY), ("k2", NEXT_KEY))
    }

    def link(*kids: str) -> str:
        return LoginLinks({kid: seeds[kid] for kid in kids}).token(uuid.UUID(STORE))

    def tell(*kids: str) -> None:
        public = Keys("", {kid: seeds[kid] for kid in kids}).public
        (shop.folder / "config/login-keys").write_text(json.dumps(public))

    tell("k1")
    assert_opens(shop, link("k1"))
    assert_refused(shop, open_link(shop, link("k2", "k1")), "its key is not known here")  # too early
    tell("k1", "k2")
    assert_opens(shop, link("k1"))
    assert_opens(shop, link("k2", "k1"))
    late = link("k1")
    tell("k2")
    assert_refused(shop, open_link(shop, late), "its key is not known here")
    assert_opens(shop, link("k2"))
    give_keys(shop, {"k1": KEY})


@pytest.mark.usefixtures("plugin")
def test_plugins_hear_of_it_and_do_not_stand_in_the_way(shop: Shop) -> None:
    assert shop.ask("/").status == 503
    token = signed(claims())
    assert assert_opens(shop, token).body == ""
    assert (shop.folder / "web-tmp/logins").read_text() == "admin 1 not kept\n"
    assert_refused(shop, open_link(shop, token), "it has been used")


def test_used_ones_are_forgotten_long_after_their_end(shop: Shop) -> None:
    now = int(time.time())
    assert_opens(shop, signed(claims()))
    shop.sql("DELETE FROM urumi_login_links")
    for age in (3500, 3700):
        shop.sql(f"INSERT INTO urumi_login_links VALUES ('{uuid.uuid4()}', {now - age})")  # noqa: S608
    assert_opens(shop, signed(claims()))
    ends = [int(row) - now for row in shop.sql("SELECT expires_at FROM urumi_login_links ORDER BY 1")]
    assert ends[0] == -3500
    assert len(ends) == 2


def test_a_store_that_is_turned_away_keeps_the_link_and_the_secret(shop: Shop) -> None:
    """The database took no connection a moment ago, so most requests end before WordPress begins."""
    away = shop.folder / "web-tmp/urumi-database-away"
    away.touch()
    shutil.chown(away, 33, 33)
    token = signed(claims())
    assert open_link(shop, token).status == 503
    away.unlink()
    assert token not in shop.web.output()
    assert_opens(shop, token)


def test_the_log_has_every_reason_and_no_token(shop: Shop) -> None:
    tokens = [signed(claims()), signed(claims(aud=OTHER_STORE)), tampered(1)]
    answers = [open_link(shop, token, headers={"Referer": "https://console.example/"}) for token in tokens]
    assert [answer.status for answer in answers] == [303, 403, 403]
    assert [line.partition(" by ")[0] for line in lines(shop)[-3:]] == [
        "admin comes in",
        "refused: it is for another store",
        "refused: its signature is wrong",
    ]
    assert "GET /?urumi" not in shop.web.output()
    written = [shop.web.log, *(file for file in (shop.folder / "web-tmp").rglob("*") if file.is_file())]
    for text in (file.read_text(errors="replace") for file in written):
        assert not [token for token in SENT if token in text]
