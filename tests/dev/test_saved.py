"""Images that Docker built are tested as ours are: what the rings read of such an archive."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.images import saved
from tests.images.shop import unpack


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """As `docker save` writes it: two layers, the upper one with a file of the lower one anew."""
    path = tmp_path / "saved.tar"
    manifest = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["1/layer.tar", "2/layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        for number, files in (("1", {"a": b"old", "b": b"kept"}), ("2", {"a": b"new"})):
            _add(tar, f"{number}/layer.tar", _layer(files))
        _add(tar, "c.json", json.dumps({"config": {"User": "1:1", "Cmd": ["serve"]}}).encode())
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    return path


def _layer(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as layer:
        for name, content in files.items():
            _add(layer, name, content)
    return made.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.uid, member.gid = len(content), os.getuid(), os.getgid()
    tar.addfile(member, io.BytesIO(content))


def test_its_files_and_how_it_is_run_are_read(archive: Path, tmp_path: Path) -> None:
    unpack(archive, saved.layers_of(archive), tmp_path / "root")
    assert {one.name: one.read_text() for one in (tmp_path / "root").iterdir()} == {"a": "new", "b": "kept"}
    assert saved.configuration_of(archive) == {"User": "1:1", "Cmd": ["serve"]}


def test_it_is_taken_only_where_somebody_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for named, expected in (("", None), ("x.tar", tmp_path / "x.tar")):
        monkeypatch.setenv("URUMI_FUNCTIONS_IMAGE", named)
        assert saved.given("functions") == expected
    assert saved.given("store") is None
