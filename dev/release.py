"""What a release is about: `python -m dev.release v1.2.3` prints its section of the changelog.

Fails unless the package and both charts have that version too, so that a tag cannot name what is not there.
The standard library alone, because the release workflow installs nothing.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
CHARTS = ("chart", "platform")


class NotReleasableError(Exception):
    """The tag and the checkout do not say the same."""


def versions(checkout: Path) -> dict[str, str]:
    """The version that each part says it has, by its file."""
    found = {"pyproject.toml": tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"]}
    for chart in CHARTS:
        text = (checkout / chart / "Chart.yaml").read_text()
        for field, version in re.findall(r"^(version|appVersion): \"?([^\"\n]+)", text, re.MULTILINE):
            found[f"{chart}/Chart.yaml {field}"] = version
    return found


def notes(tag: str, checkout: Path = CHECKOUT) -> str:
    """The changelog's section of a tag. Raises NotReleasableError."""
    form = re.fullmatch(r"v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)", tag)
    if form is None:
        raise NotReleasableError(f"{tag!r} is no tag of a release: write it as v1.2.3")
    if wrong := [f"{where} says {said}" for where, said in versions(checkout).items() if said != form[1]]:
        raise NotReleasableError(f"{tag} is not what is here: {', '.join(wrong)}")
    changelog = (checkout / "CHANGELOG.md").read_text()
    section = re.search(rf"^## {re.escape(form[1])}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if section is None or not section[1].strip():
        raise NotReleasableError(f"CHANGELOG.md says nothing under '## {form[1]}'")
    return section[1].strip() + "\n"


def main() -> int:
    """The command line."""
    try:
        sys.stdout.write(notes(sys.argv[1]))
    except NotReleasableError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
