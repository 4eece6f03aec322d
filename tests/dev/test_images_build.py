"""`python -m images.build`: what it builds without being told, and what it needs for that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dev.machine.place import CHECKOUT
from images import build
from images.definitions import Definition


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
