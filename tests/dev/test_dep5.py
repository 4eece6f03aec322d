"""What the bill of materials says of the licences of Debian's packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from images.functions import bill, dep5
from images.functions.definition import labels

READABLE = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: thing
License: of the whole
 is not asked for.

Files: *
Copyright: 1998-2026 Somebody
 and License: nobody
License: Zlib

Files: debian/*
Copyright: 2026 Somebody else
License: GPL-2+   or Artistic
 The text.
 .
 Files: in the text

Files: src/*
Copyright: 2026 Somebody
License: Zlib

Files: m4/*
Copyright: 2026 Somebody
License: GPL-3+ with Bison exception

License: LGPL-2.1
 A text that no file is under.
"""
SENTENCE = "Files: b/*\nLicense: Permission is hereby granted, free of charge\n"


def test_each_licence_that_files_are_under_is_named_once() -> None:
    assert dep5.licences(READABLE) == ["GPL-2+ or Artistic", "GPL-3+ with Bison exception", "Zlib"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "This package was put together by somebody.\n\nFiles: *\nLicense: MIT\n",
        READABLE.partition("\n\n")[0],
    ],
)
def test_nothing_is_said_of_what_no_machine_can_read(text: str) -> None:
    assert dep5.licences(text) == [dep5.UNKNOWN]


@pytest.mark.parametrize("nameless", [SENTENCE, "Files: b/*\nLicense:\n The text.\n", "Files: b/*\n"])
def test_what_has_no_name_is_not_left_out(nameless: str) -> None:
    assert dep5.licences(f"{READABLE}\n{nameless}") == [
        "GPL-2+ or Artistic", "GPL-3+ with Bison exception", dep5.UNKNOWN, "Zlib",
    ]  # fmt: skip


def test_the_bill_has_them_for_every_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    for name, text in {
        "etc/os-release": "ID=debian\nVERSION_ID=12\n",
        "var/lib/dpkg/status": "\n\n".join(
            f"Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: 1"
            for name in ("base", "bare", "lib", "outside")
        ),
        "usr/share/doc/base/copyright": READABLE,
        "../elsewhere/copyright": READABLE,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "usr/share/doc/lib").symlink_to("base")  # as Debian does for what comes of one source
    (root / "usr/share/doc/outside").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(bill, "_helm", lambda _binary: [])

    parts = json.loads(bill.of(root, {**labels(), "org.opencontainers.image.version": "1"}))["components"]
    found = {
        part["name"]: [each["license"].get("id") or each["license"]["name"] for each in part["licenses"]]
        for part in parts
    }
    named = ["Zlib", "GPL-2+ or Artistic", "GPL-3+ with Bison exception"]
    assert {name: sorted(each) for name, each in found.items()} == {
        "base": sorted(named),
        "lib": sorted(named),
        "bare": [dep5.UNKNOWN],
        "outside": [dep5.UNKNOWN],
    }
    (zlib,) = [each["license"] for each in parts[1]["licenses"] if "id" in each["license"]]
    assert zlib["id"] == "Zlib"
