"""The images, built once and unpacked once per run, and stores made of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from images import oci
from images.build import archive
from images.definitions import CONTENT, DATABASE, STORE
from tests.images import saved
from tests.images.containers import until
from tests.images.shop import Roots, Shop, unpack
from tests.images.stopped import StoppedDatabase

PLUGINS = Path(__file__).parent / "plugins"


@pytest.fixture(scope="session")
def store_archive() -> Path:
    """The store's image with the tests' own shop in it."""
    return archive(STORE, print, PLUGINS)


@pytest.fixture(scope="session")
def database_archive() -> Path:
    return archive(DATABASE, print)


@pytest.fixture(scope="session")
def roots(request: pytest.FixtureRequest) -> Iterator[Roots]:
    """The root filesystems of both images; of a store's that Docker built, with the plugins of the tests."""
    with _folder("urumi-images-") as folder:
        for name in ("store", "database"):
            if packed := saved.given(name):
                unpack(packed, saved.layers_of(packed), folder / name)
            else:
                packed = request.getfixturevalue(f"{name}_archive")
                unpack(packed, oci.layers_of(packed), folder / name)
        if saved.given("store"):
            _bring_plugins(folder / "store" / CONTENT / "plugins")
        yield Roots(folder / "store", folder / "database")


@pytest.fixture(scope="session")
def ready_shop(roots: Roots) -> Iterator[Shop]:
    """A store with the tests' shop that is READY since its first boot, for tests that only look."""
    with _shops(roots) as make:
        shop = make("urumi-test-shop", "akismet")
        shop.up()
        # For a test at the end of the run: the agent calls cron now, and then once a minute.
        until("the agent calls cron", lambda: "GET /wp-cron.php" in shop.web.output())
        shop.php("wp_schedule_single_event(time() - 1, 'urumi_test_due');")
        yield shop
        for container in (shop.web, shop.agent, shop.database):
            assert container.running, f"{container.name} has ended: {container.output()[-2000:]}"


@pytest.fixture(scope="session")
def volumes(ready_shop: Shop) -> Iterator[Path]:
    """Its volumes, some time after its first READY."""
    with _folder("urumi-volumes-") as folder:
        ready_shop.give(folder)
        yield folder


@pytest.fixture(scope="session")
def stopped_database(roots: Roots, volumes: Path) -> Iterator[StoppedDatabase]:
    """A store whose database stops when the first test asks for this; later tests see what came of it."""
    with _shops(roots) as make:
        shop = make("urumi-test-shop", "akismet")
        shop.take(volumes)
        shop.up()
        yield StoppedDatabase(shop)


@pytest.fixture
def new_shop(roots: Roots) -> Iterator[Callable[..., Shop]]:
    """Makes stores with empty volumes, not started, with the plugins named."""
    with _shops(roots) as make:
        yield make


@pytest.fixture
def used_shop(new_shop: Callable[..., Shop], volumes: Path) -> Callable[[], Shop]:
    """Makes stores that have been READY before, not started."""

    def make() -> Shop:
        shop = new_shop("urumi-test-shop", "akismet")
        shop.take(volumes)
        return shop

    return make


@pytest.fixture
def shop(new_shop: Callable[..., Shop]) -> Shop:
    """A store without plugins, not started."""
    return new_shop()


def _bring_plugins(bundled: Path) -> None:
    shutil.copytree(PLUGINS, bundled, dirs_exist_ok=True)
    (bundled / "akismet").mkdir()
    (bundled / "akismet/akismet.php").write_text("<?php\n/* Plugin Name: Akismet\n * Version: 1.0 */\n")


@contextmanager
def _shops(roots: Roots) -> Iterator[Callable[..., Shop]]:
    with _folder("urumi-shop-") as folder:
        shops: list[Shop] = []

        def make(*plugins: str) -> Shop:
            own = folder / str(len(shops))
            own.mkdir()
            shops.append(Shop(own, roots, plugins))
            return shops[-1]

        try:
            yield make
        finally:
            for shop in shops:
                shop.close()


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    """A folder that other users can pass, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
