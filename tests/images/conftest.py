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
from images.definitions import DATABASE, STORE
from tests.images.shop import Roots, Shop, unpack

PLUGINS = Path(__file__).parent / "plugins"


@pytest.fixture(scope="session")
def store_archive() -> Path:
    """The store's image with the tests' own shop in it."""
    return archive(STORE, print, PLUGINS)


@pytest.fixture(scope="session")
def database_archive() -> Path:
    return archive(DATABASE, print)


@pytest.fixture(scope="session")
def roots(store_archive: Path, database_archive: Path) -> Iterator[Roots]:
    """The root filesystems of both images. Below a folder that other users can pass."""
    folder = Path(tempfile.mkdtemp(prefix="urumi-images-"))
    folder.chmod(0o755)
    for name, packed in (("store", store_archive), ("database", database_archive)):
        unpack(packed, oci.layers_of(packed), folder / name)
    yield Roots(folder / "store", folder / "database")
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def ready_shop(roots: Roots) -> Iterator[Shop]:
    """A store with the tests' shop that is READY, for tests that only look."""
    with _shops(roots) as make:
        shop = make("urumi-test-shop", "akismet")
        shop.up()
        yield shop
        for container in (shop.web, shop.agent, shop.database):
            assert container.running, f"{container.name} has ended: {container.output()[-2000:]}"


@pytest.fixture
def new_shop(roots: Roots) -> Iterator[Callable[..., Shop]]:
    """Makes stores with empty volumes, not started, with the plugins named."""
    with _shops(roots) as make:
        yield make


@contextmanager
def _shops(roots: Roots) -> Iterator[Callable[..., Shop]]:
    folder = Path(tempfile.mkdtemp(prefix="urumi-shop-"))
    folder.chmod(0o755)
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
        shutil.rmtree(folder)


@pytest.fixture
def shop(new_shop: Callable[..., Shop]) -> Shop:
    """A store without plugins, not started."""
    return new_shop()
