"""The list of licences is that of what is locked, and what ships has none that asks for our own source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dev import licences, vendored
from dev.licences import UnknownLicenceError, Used, recognised
from dev.machine.place import CHECKOUT

AGAIN = "write it anew: .venv/bin/python -m dev.licences"
# Of what is in images of ours. MPL asks for changes to its own files, which we do not make.
SHIPS = {
    "0BSD",
    "Apache-2.0",
    "BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PSF-2.0",
}


def written() -> dict[str, list[Used]]:
    """What the document has under each heading."""
    parts = re.split(r"^## (.*)\n", licences.DOCUMENT.read_text(), flags=re.MULTILINE)[1:]
    return {
        heading: [Used(*row) for row in re.findall(r"^\| (\S+) \| (\S+) \| (.+) \|$", text, re.MULTILINE)][1:]
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def of(word: str) -> list[Used]:
    ((_, found),) = ((heading, used) for heading, used in written().items() if word in heading)
    return found


def in_go_mod(folder: str) -> dict[str, str]:
    """The version of each module, after replacements."""
    text = (CHECKOUT / folder / "go.mod").read_text()
    return {
        **dict(re.findall(r"^\t(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE)),
        **dict(re.findall(r"^\t(\S+) => \S+ (v\S+)$", text, re.MULTILINE)),
    }


def test_every_locked_python_package_is_there_as_it_declares_itself():
    run = licences.python_packages("requirements.txt")
    assert of("what the functions run on") == run, AGAIN
    others = [each for each in licences.python_packages("requirements-dev.txt") if each not in run]
    assert of("what only developers and CI need") == others, AGAIN


def test_every_file_of_others_that_pages_load_is_there():
    found = [Used(each.name, each.version, each.licence) for each in vendored.PACKAGES]
    assert of("the console's pages load") == found, AGAIN


@pytest.mark.parametrize(
    ("table", "module"),
    [
        ("compiled into Helm", "dev/cluster"),
        ("compiled into the stores' gateway", "images/gateway"),
        ("other tools", "dev/cluster"),
    ],
)
def test_every_go_module_has_the_version_that_is_locked(table: str, module: str):
    versions = in_go_mod(module)
    assert len(of(table)) > 10
    assert [each for each in of(table) if versions.get(each.name) != each.version] == [], AGAIN


def test_the_go_tools_are_all_there():
    text = (CHECKOUT / "dev" / "cluster" / "go.mod").read_text()
    tools = re.search(r"^tool \((.*?)^\)", text, re.MULTILINE | re.DOTALL)
    assert tools
    named = {each.name for each in of("other tools")}
    assert [tool for tool in tools[1].split() if not any(tool.startswith(name) for name in named)] == [], (
        AGAIN
    )


@pytest.mark.parametrize(
    "table",
    [
        "what the functions run on",
        "pages load",
        "compiled into Helm",
        "compiled into the stores' gateway",
    ],
)
def test_what_ships_asks_for_nothing_but_its_notice(table: str):
    strange = [each for each in of(table) if not set(re.split(r" AND | OR ", each.licence)) <= SHIPS]
    assert strange == []


TEXTS = {
    "Apache-2.0": "  Apache License\n  Version 2.0, January 2004\n",
    "MIT": "Permission is hereby granted, free\nof charge, to any person obtaining a copy",
    "BSD-2-Clause": "Redistribution and use in source and binary forms, with or without",
    "BSD-3-Clause": "Redistribution and use in source and binary forms ... Neither the name of the holder",
    "ISC": "Permission to use, copy, modify, and distribute this software for any purpose",
    "MPL-2.0": "Mozilla Public License Version 2.0\n",
}


@pytest.mark.parametrize("licence", TEXTS)
def test_a_text_is_recognised(tmp_path: Path, licence: str):
    (tmp_path / "LICENSE").write_text(TEXTS[licence])
    assert recognised(tmp_path) == licence


def test_several_texts_are_all_said(tmp_path: Path):
    (tmp_path / "LICENSE").write_text(TEXTS["MIT"])
    (tmp_path / "LICENSE.libyaml").write_text(TEXTS["Apache-2.0"])
    (tmp_path / "README.md").write_text(TEXTS["ISC"])
    assert recognised(tmp_path) == "Apache-2.0 AND MIT"


def test_what_is_not_recognised_is_not_guessed(tmp_path: Path):
    (tmp_path / "LICENSE").write_text("All rights reserved.")
    with pytest.raises(UnknownLicenceError):
        recognised(tmp_path)
