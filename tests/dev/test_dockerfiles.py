"""The Dockerfile, which cannot be built here, says the same of the image as the build that is tested."""

from __future__ import annotations

import json
import re
from pathlib import Path

from images.functions import definition
from images.functions.definition import FUNCTIONS

CHECKOUT = Path(__file__).resolve().parents[2]
TEXT = (CHECKOUT / "images/functions/Dockerfile").read_text()
LAST = TEXT.rpartition("\nFROM ")[2]


def instructions(name: str, text: str = LAST) -> list[str]:
    """What stands behind an instruction, each on one line."""
    whole = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [" ".join(found.split()) for found in re.findall(rf"^{name} (.*)$", whole, re.MULTILINE)]


def test_its_containers_are_run_in_the_same_way() -> None:
    (environment,) = instructions("ENV")
    assert dict(each.split("=", 1) for each in environment.split()) == FUNCTIONS.environment
    assert instructions("USER") == [f"{FUNCTIONS.user}:{FUNCTIONS.user}"]
    assert instructions("WORKDIR") == [FUNCTIONS.directory]
    assert instructions("EXPOSE") == [str(FUNCTIONS.port)]
    assert instructions("STOPSIGNAL") == [FUNCTIONS.stop_signal]
    (command,) = instructions("CMD")
    assert json.loads(command) == [FUNCTIONS.command, *FUNCTIONS.arguments]


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
    (labels,) = instructions("LABEL")
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
