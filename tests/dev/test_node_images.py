"""How images come into a node's containerd, with a stand-in that writes down how it is called."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from dev.cluster.cluster import ClusterError
from dev.cluster.node.images import Images
from dev.cluster.node.settings import SANDBOX

REFERENCE = "urumi/store:0.1.0"
CALL = "/run/tools/ctr --namespace k8s.io images"


class Node:
    """A node whose images are brought in by a stand-in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.entering = folder / "enter"
        self.entering.write_text(
            f'#!/bin/sh\ncd {folder}\necho "$@" >> calls\n'
            'case "$*" in *" import "*) cat > imported ;; esac\n'
            "[ ! -e broken ] || { echo it is broken >&2; exit 1; }\n"
        )
        self.entering.chmod(0o755)
        self.said: list[str] = []

    def bring(self, archive: Path) -> str:
        """Bring that archive as a store's image, as a run of its own; the reference that comes of it."""
        return Images([str(self.entering)], self.home).bring({REFERENCE: archive}, self.said.append)[
            REFERENCE
        ]

    def calls(self) -> list[str]:
        """How it was called since this was asked last."""
        file = self.folder / "calls"
        found = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return found

    def archive(self, packages: str, ours: str) -> Path:
        """An archive with those digests in its name."""
        file = self.folder / f"store-{packages}-{ours}.oci.tar"
        file.write_text(f"{packages} {ours}")
        return file


@pytest.fixture
def node(tmp_path) -> Node:
    return Node(tmp_path)


def test_an_image_is_known_by_the_digests_in_its_archives_name(node):
    assert node.bring(node.archive("aaaa", "bbbb")) == f"{REFERENCE}-aaaa-bbbb"
    assert node.calls() == [
        f"{CALL} import -",
        f"{CALL} tag --force docker.io/{REFERENCE} docker.io/{REFERENCE}-aaaa-bbbb",
    ]
    assert (node.folder / "imported").read_text() == "aaaa bbbb"
    assert node.said == [f"node: bringing the image {REFERENCE}"]


def test_each_is_brought_once_and_another_one_anew(node):
    node.bring(node.archive("aaaa", "bbbb"))
    node.calls()
    assert node.bring(node.archive("aaaa", "bbbb")) == f"{REFERENCE}-aaaa-bbbb"
    assert node.calls() == []
    assert node.bring(node.archive("aaaa", "cccc")) == f"{REFERENCE}-aaaa-cccc"
    assert len(node.calls()) == 2


def test_what_was_not_taken_is_told_and_tried_again(node):
    (node.folder / "broken").touch()
    with pytest.raises(ClusterError, match="it is broken"):
        node.bring(node.archive("aaaa", "bbbb"))
    (node.folder / "broken").unlink()
    node.calls()
    node.bring(node.archive("aaaa", "bbbb"))
    assert len(node.calls()) == 2


def test_a_record_that_was_cut_short_costs_one_more_time(node):
    node.bring(node.archive("aaaa", "bbbb"))
    (node.home / "containerd" / "urumi-images.json").write_text('{"urumi')
    node.calls()
    node.bring(node.archive("aaaa", "bbbb"))
    assert len(node.calls()) == 2


def test_the_image_that_holds_a_pods_namespaces_is_made_of_one_program(node):
    pause = node.folder / "pause"
    pause.write_bytes(b"a program")
    images = Images([str(node.entering)], node.home)
    images.bring_sandbox(pause)
    images.bring_sandbox(pause)
    assert node.calls() == [f"{CALL} import -"]
    pause.write_bytes(b"another program")
    images.bring_sandbox(pause)
    assert node.calls() == [f"{CALL} import -"]
    with tarfile.open(node.folder / "imported") as archive:
        index = json.load(archive.extractfile("index.json"))  # type: ignore[arg-type]
    names = {name for each in index["manifests"] for name in each["annotations"].values()}
    assert SANDBOX.rpartition("/")[2] in {name.rpartition("/")[2] for name in names}
