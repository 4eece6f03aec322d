"""What the platform tells a shop's administrators in wp-admin: at once when it changes, and nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.images.shop import Shop

TEXT = (
    '<div class="notice notice-warning"><p>The last payment for this shop did not go through. '
    "Please settle it; otherwise the shop will be paused.</p></div>"
)


@pytest.fixture
def tell(ready_shop: Shop) -> Iterator[Callable[[str], object]]:
    """Changes the mounted file of a shop that runs."""
    file = ready_shop.folder / "config/notice"
    yield file.write_text
    file.write_text("")


def test_administrators_are_told_as_long_as_it_is_so(ready_shop: Shop, tell: Callable[[str], object]) -> None:
    session = {"Cookie": ready_shop.log_in()}
    for notice, shown in (("", 0), ("past-due", 1), ("something-newer", 0), ("past-due", 1), ("", 0)):
        tell(notice)
        for page in ("", "plugins.php", "profile.php"):
            answer = ready_shop.ask(f"/wp-admin/{page}", headers=session, seconds=60)
            assert answer.status == 200
            assert answer.body.count(TEXT) == shown, (notice, page)


def test_shoppers_and_other_accounts_are_told_nothing(
    ready_shop: Shop, tell: Callable[[str], object]
) -> None:
    tell("past-due")
    ready_shop.php(
        "if (!username_exists('writer')) {"
        "$id = wp_create_user('writer', 'writerpassword', 'writer@example.com');"
        "(new WP_User($id))->set_role('editor'); }"
    )
    session = {"Cookie": ready_shop.log_in("writer", "writerpassword")}
    page = ready_shop.ask("/wp-admin/", headers=session, seconds=60)
    assert page.status == 200
    assert "wpadminbar" in page.body
    for answer in (page, ready_shop.ask("/"), ready_shop.ask("/wp-login.php")):
        assert "payment" not in answer.body


def test_where_nobody_can_tell_nothing_is_told(ready_shop: Shop, tell: Callable[[str], object]) -> None:
    tell("")
    file = ready_shop.folder / "config/notice"
    file.unlink()
    try:
        answer = ready_shop.ask("/wp-admin/", headers={"Cookie": ready_shop.log_in()}, seconds=60)
        assert answer.status == 200
        assert "payment" not in answer.body
    finally:
        tell("")
