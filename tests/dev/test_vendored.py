"""The files of others that pages load are what is written down of them, to the byte."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dev import vendored
from dev.vendored import PACKAGES, STATIC, File, OtherContentError, Package, integrity_of


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: each.name)
def test_each_file_is_that_of_its_version(package: Package) -> None:
    found = {name: hashlib.sha256((STATIC / name).read_bytes()).hexdigest() for name in package.files}
    assert found == {name: file.sha256 for name, file in package.files.items()}
    scripts = [(STATIC / name).read_text() for name in package.files if name.endswith(".js")]
    assert all(f'version:"{package.version}"' in script for script in scripts)


def test_nothing_else_of_others_is_there() -> None:
    ours = {"console.css", "forms.js", "icon.svg"}
    vendored_files = {name for package in PACKAGES for name in package.files}
    assert {file.name for file in STATIC.iterdir()} == ours | vendored_files


def a_package(monkeypatch: pytest.MonkeyPatch, body: bytes, integrity: str | None = None) -> Package:
    """What `npm pack` is made to bring: a package with one file."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as members:
        about = tarfile.TarInfo("package/x.js")
        about.size = len(body)
        members.addfile(about, io.BytesIO(body))

    def npm(asked: list[str], *, cwd: str, **_: Any) -> subprocess.CompletedProcess[str]:
        (Path(cwd) / "x-1.tgz").write_bytes(archive.getvalue())
        return subprocess.CompletedProcess(asked, 0, stdout="x-1.tgz\n")

    monkeypatch.setattr(vendored.subprocess, "run", npm)
    digest = hashlib.sha256(b"right").hexdigest()
    whole = integrity or integrity_of(archive.getvalue())
    return Package("x", "1", "0BSD", whole, {"here.js": File("package/x.js", digest)})


def test_what_is_right_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    vendored.bring(a_package(monkeypatch, b"right"), tmp_path)
    assert (tmp_path / "here.js").read_bytes() == b"right"


@pytest.mark.parametrize(("body", "integrity"), [(b"wrong", None), (b"right", "sha512-another")])
def test_what_is_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: bytes, integrity: str | None
) -> None:
    with pytest.raises(OtherContentError):
        vendored.bring(a_package(monkeypatch, body, integrity), tmp_path)
    assert not list(tmp_path.iterdir())
