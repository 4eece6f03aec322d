"""Which images a cluster with real pods gets, and what stores are told of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dev.cluster.cluster import ClusterError
from dev.cluster.store_images import StoreImages
from dev.machine.place import CHECKOUT
from images import build
from images.definitions import DATABASE, STORE, Definition, ImageError

Built = dict[str, tuple[object, ...]]


@pytest.fixture
def built(monkeypatch) -> Built:
    """The folders that each image was built with, by its name."""
    calls: Built = {}

    def archive(definition: Definition, say: object, *folders: object) -> Path:
        calls[definition.name] = folders
        return Path(f"/cache/{definition.name}.oci.tar")

    monkeypatch.setattr(build, "archive", archive)
    for name in ("URUMI_PLUGINS", "URUMI_WORDPRESS"):
        monkeypatch.delenv(name, raising=False)
    return calls


@pytest.fixture
def plugins(tmp_path) -> Path:
    """A folder with two plugins."""
    for name in ("tea", "coffee"):
        (tmp_path / "plugins" / name).mkdir(parents=True)
        header = f"<?php\n/*\n * Plugin Name: {name}\n * Version: 1.0\n */\n"
        (tmp_path / "plugins" / name / f"{name}.php").write_text(header)
    return tmp_path / "plugins"


def _silent(_: str) -> None:
    """Nothing."""


def test_without_a_word_they_are_debians_and_no_plugin_is_switched_on(built):
    made = StoreImages.from_environment(_silent)
    assert built == {STORE.name: (None, None), DATABASE.name: ()}
    assert set(made.archives) == {STORE.reference, DATABASE.reference}
    assert made.plugins == ()


def test_folders_of_the_environment_reach_the_stores_image(built, plugins, tmp_path, monkeypatch):
    (tmp_path / "wordpress").mkdir()
    monkeypatch.setenv("URUMI_PLUGINS", str(plugins))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("URUMI_WORDPRESS", "wordpress")  # from here
    made = StoreImages.from_environment(_silent)
    assert built == {STORE.name: (plugins, tmp_path / "wordpress"), DATABASE.name: ()}
    assert made.plugins == ("coffee", "tea")


def test_stores_are_told_the_clusters_own_references_and_the_plugins(built, plugins, monkeypatch):
    monkeypatch.setenv("URUMI_PLUGINS", str(plugins))
    own = {reference: f"{reference}-aaaa-bbbb" for reference in (STORE.reference, DATABASE.reference)}
    values = StoreImages.from_environment(_silent).values(own)
    assert values == {
        "images": {"store": "urumi/store:0.1.0-aaaa-bbbb", "database": "urumi/database:0.1.0-aaaa-bbbb"},
        "plugins": ["coffee", "tea"],
    }
    assert values.keys() <= yaml.safe_load((CHECKOUT / "chart" / "values.yaml").read_text()).keys()


def test_the_charts_own_references_are_those_in_the_archives():
    images = yaml.safe_load((CHECKOUT / "chart" / "values.yaml").read_text())["images"]
    assert (images["store"], images["database"]) == (STORE.reference, DATABASE.reference)


def test_an_image_that_cannot_be_built_is_told(built, monkeypatch):
    def archive(*_: object) -> Path:
        raise ImageError("mmdebstrap is missing")

    monkeypatch.setattr(build, "archive", archive)
    with pytest.raises(ClusterError, match="mmdebstrap is missing"):
        StoreImages.from_environment(_silent)


def test_a_folder_that_is_not_there_is_named(built, tmp_path, monkeypatch):
    monkeypatch.setenv("URUMI_PLUGINS", str(tmp_path / "nosuch"))
    with pytest.raises(ClusterError, match=r"nosuch is no folder"):
        StoreImages.from_environment(_silent)
