"""The Dockerfiles, which need a registry, say the same of each image as the build that is tested."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from images import oci
from images.definitions import DATABASE, STORE, Definition
from images.functions import definition
from images.functions.definition import FUNCTIONS

CHECKOUT = Path(__file__).resolve().parents[2]
TEXT = (CHECKOUT / "images/functions/Dockerfile").read_text()
EVERY = pytest.mark.parametrize("image", [STORE, DATABASE, FUNCTIONS], ids=lambda one: one.name)


def last(image: Definition) -> str:
    """The stage that becomes the image."""
    return (CHECKOUT / "images" / image.name / "Dockerfile").read_text().rpartition("\nFROM ")[2]


def instructions(name: str, text: str) -> list[str]:
    """What stands behind an instruction, each on one line."""
    whole = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [" ".join(found.split()) for found in re.findall(rf"^{name} (.*)$", whole, re.MULTILINE)]


@EVERY
def test_its_containers_are_run_in_the_same_way(image: Definition) -> None:
    text = last(image)
    (environment,) = instructions("ENV", text)
    assert dict(each.split("=", 1) for each in environment.split()) == {
        "PATH": oci._PATH,
        **image.environment,
    }
    assert instructions("USER", text) == [f"{image.user}:{image.user}"]
    assert instructions("WORKDIR", text) == [image.directory]
    assert instructions("EXPOSE", text) == [str(image.port)]
    assert instructions("STOPSIGNAL", text) == [image.stop_signal]
    (command,) = instructions("CMD", text)
    assert json.loads(command) == [image.command, *image.arguments]


@pytest.mark.parametrize("image", [STORE, DATABASE], ids=lambda one: one.name)
def test_what_the_chart_mounts_is_there(image: Definition) -> None:
    text = (CHECKOUT / "images" / image.name / "Dockerfile").read_text()
    (made,) = re.findall(r"mkdir -p (/etc/urumi.*?);", text)
    echo = subprocess.run(["bash", "-c", f"echo {made}"], capture_output=True, text=True, check=True)
    there = echo.stdout.split()
    ours = {f"/{one}" for one in image.folders if one.startswith(("etc/urumi/", "run/"))}
    assert ours <= {*there}
    assert {one for one in there if one.startswith("/run/")} <= ours


def test_it_has_the_same_files_at_the_same_places() -> None:
    copied = dict(each.split() for each in instructions("COPY", TEXT) if each.count(" ") == 1)
    ours = {f"{source.relative_to(CHECKOUT)}/": f"/{target}/" for target, source in FUNCTIONS.files.items()}
    assert ours.items() <= copied.items()
    assert f"COPY --from=helm /helm /{definition.HELM}\n" in TEXT


def test_whatever_is_copied_is_in_the_context() -> None:
    allowed = [
        line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    sources = [
        source.rstrip("/")
        for each in instructions("COPY", TEXT)
        if not each.startswith("--from")
        for source in each.split()[:-1]
    ]
    assert len(sources) > 6
    for source in sources:
        assert (CHECKOUT / source).exists()
        assert any(source == one or source.startswith(f"{one}/") for one in allowed), source


def test_its_labels_are_the_same_and_what_nobody_can_know_here_has_no_default() -> None:
    (labels,) = instructions("LABEL", last(FUNCTIONS))
    found = dict(re.findall(r'(org\.opencontainers\.image\.\w+)="([^"]*)"', labels))
    known = {name: text for name, text in found.items() if "${" not in text}
    assert known.items() <= definition.labels().items()
    assert {name.rpartition(".")[2] for name in found.keys() - known.keys()} == {
        "source",
        "revision",
        "version",
    }
    assert [each for each in instructions("ARG", TEXT) if "=" in each] == []
    for each in ("GO", "PYTHON"):
        assert f"[[ ${each} == *@sha256:* ]]" in TEXT
