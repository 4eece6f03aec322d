"""A tag is released only where everything else says the same version."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from dev import release
from dev.machine.place import CHECKOUT
from dev.release import NotReleasableError, notes, versions


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """This one as it would be for version 1.2.3."""
    for name in ("pyproject.toml", "chart/Chart.yaml", "platform/Chart.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
        text = re.sub(
            r'(?m)^(version|appVersion)(: |  *= )"?[\d.]+"?$', r'\1\2"1.2.3"', (tmp_path / name).read_text()
        )
        (tmp_path / name).write_text(text)
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## Unreleased\n\n- Not yet.\n\n## 1.2.3\n\n- That.\n\n## 1.2.2\n"
    )
    return tmp_path


def test_the_notes_are_the_section_of_the_version(checkout: Path) -> None:
    assert notes("v1.2.3", checkout) == "- That.\n"


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v1.2.3\n", "main", "v1x2x3"])
def test_a_tag_has_one_form(checkout: Path, tag: str) -> None:
    with pytest.raises(NotReleasableError, match="no tag of a release"):
        notes(tag, checkout)


@pytest.mark.parametrize("file", ["pyproject.toml", "chart/Chart.yaml", "platform/Chart.yaml"])
def test_every_part_has_the_version_of_the_tag(checkout: Path, file: str) -> None:
    text = (checkout / file).read_text()
    (checkout / file).write_text(text.replace("1.2.3", "1.2.2"))
    with pytest.raises(NotReleasableError, match=rf"{file}.* says 1\.2\.2"):
        notes("v1.2.3", checkout)


def test_a_release_without_a_word_is_none(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.3\n\n## 1.2.2\n\n- Old.\n")
    with pytest.raises(NotReleasableError, match=r"says nothing under '## 1\.2\.3'"):
        notes("v1.2.3", checkout)


def test_all_parts_of_this_checkout_have_one_version() -> None:
    assert len(set(versions(CHECKOUT).values())) == 1
    assert len(versions(CHECKOUT)) == 4


def test_the_command_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["release", "v9.9.9"])
    assert release.main() == 1
    assert "v9.9.9 is not what is here: pyproject.toml says" in capsys.readouterr().err
