"""`python -m images.build`: what it builds without being told, and what it needs for that."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dev.machine.place import CHECKOUT
from images import build, debian, made
from images.definitions import Definition, ImageError, Made, Say
from images.functions.definition import FUNCTIONS


def test_the_image_of_the_functions_is_built_only_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built: list[str] = []

    def archive(definition: Definition, *_: object) -> Path:
        built.append(definition.name)
        return tmp_path / f"{definition.name}.oci.tar"

    monkeypatch.setattr(build, "archive", archive)
    assert build._main([]) == 0
    assert built == ["store", "database", "front-door"]
    built.clear()
    assert build._main(["functions"]) == 0
    assert built == ["functions"]
    assert f"functions  {tmp_path}/functions.cdx.json\n" in capsys.readouterr().out


def test_what_the_machine_lacks_is_said_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def lacking() -> None:
        raise ImageError("mmdebstrap is missing")

    monkeypatch.setattr(build, "cache", lambda: tmp_path)
    monkeypatch.setattr(debian, "check", lacking)
    built: list[str] = []

    def brings(_say: Say) -> Mapping[str, Path]:
        built.append("helm")
        return {}

    with pytest.raises(ImageError, match="mmdebstrap"):
        build.archive(replace(FUNCTIONS, brings=brings), print)
    assert built == []


def test_what_a_script_makes_is_what_it_added_whenever_it_did(tmp_path: Path) -> None:
    script = tmp_path / "make"
    script.write_text(
        '#!/bin/sh\nmkdir "$1/app/new"\ntouch -d "@$(cat "$1/when")" "$1/app/new/file" "$1/elsewhere"\n'
    )
    script.chmod(0o755)
    layers = []
    for number, when in enumerate(("1000000000", "1700000000")):
        root = tmp_path / str(number)
        (root / "app/old").mkdir(parents=True)
        (root / "when").write_text(when)
        made.build(Made(script, "app"), root, tmp_path / f"{number}.tar")
        layers.append((tmp_path / f"{number}.tar").read_bytes())
    with tarfile.open(tmp_path / "0.tar") as layer:
        assert [(one.name, one.mtime) for one in layer] == [("app/new", 1), ("app/new/file", 1)]
    assert layers[0] == layers[1]


def test_the_images_of_a_store_are_built_without_any_package_of_pythons() -> None:
    # `kind` has them built in a container that has nothing but Debian's Python.
    bare = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); import images.build",
    ]
    done = subprocess.run(bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
