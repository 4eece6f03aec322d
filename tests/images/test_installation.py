"""WordPress's own installation: one transaction, whole or not at all."""

from __future__ import annotations

from tests.images.shop import Shop

SYNCS = 180  # from the start of the server to the end of the installation; 280 without a transaction
LOST = """<?php
if (PHP_SAPI === 'cli' && !file_exists(WP_CONTENT_DIR . '/lost')) {
    add_action('wp_install', static function (): void {
        touch(WP_CONTENT_DIR . '/lost');
        $GLOBALS['wpdb']->query('KILL CONNECTION_ID()');
    });
}
"""


def test_the_installation_is_one_transaction(shop: Shop) -> None:
    shop.start(web=False)
    shop.until_status("pages do not answer")
    (line,) = shop.sql("SHOW GLOBAL STATUS LIKE 'Innodb_data_fsyncs'")
    assert int(line.split()[1]) < SYNCS


def test_an_installation_whose_connection_is_lost_begins_anew(shop: Shop) -> None:
    plugins = shop.folder / "content/mu-plugins"
    plugins.mkdir()
    (plugins / "lost.php").write_text(LOST)
    shop.up()
    assert (shop.folder / "content/lost").exists()
    assert "the connection was lost in the middle of the installation" in shop.agent.output()
    assert shop.sql("SELECT COUNT(*) FROM wp_posts WHERE post_name = 'hello-world'") == ["1"]
    assert shop.log_in()
