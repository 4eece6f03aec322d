"""Helm's own opinion of the chart."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.chart.rendering import CHART, CI, Renderer, ci_values


@pytest.mark.parametrize("values", sorted(CI.glob("*.yaml")), ids=lambda path: path.stem)
def test_lint_has_nothing_to_say(helm: Path, values: Path) -> None:
    command = [str(helm), "lint", "--strict", str(CHART), "-f", str(values)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 chart(s) linted, 0 chart(s) failed" in done.stdout
    assert not re.search(r"\[(WARNING|ERROR)\]", done.stdout), done.stdout


def test_the_defaults_alone_are_no_store(helm: Path) -> None:
    done = subprocess.run([str(helm), "lint", str(CHART)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "/store/id" in done.stdout


def test_a_package_holds_only_what_renders(helm: Path, tmp_path: Path) -> None:
    subprocess.run([str(helm), "package", str(CHART), "-d", str(tmp_path)], capture_output=True, check=True)
    (package,) = tmp_path.glob("store-*.tgz")
    names = subprocess.run(
        ["tar", "-tzf", str(package)], capture_output=True, text=True, check=True
    ).stdout.split()
    others = [name for name in names if not name.startswith("store/templates/")]
    assert sorted(others) == ["store/Chart.yaml", "store/values.schema.json", "store/values.yaml"]


def test_no_template_interprets_a_value_or_looks_into_the_cluster(renderer: Renderer) -> None:
    for path in (CHART / "templates").rglob("*"):
        if path.is_file():
            actions = re.findall(r"{{(.*?)}}", path.read_text(), re.DOTALL)
            for action in actions:
                assert not re.search(r"\b(tpl|lookup|env|rand\w*|genCA|now|getHostByName)\b", action), path
    assert "<no value>" not in renderer.text(ci_values("minimal"))


def test_the_notes_help_and_tell_no_secret(helm: Path) -> None:
    values = ci_values("minimal")
    name = f"store-{values['store']['id']}"
    command = [
        str(helm),
        "install",
        name,
        str(CHART),
        "-n",
        name,
        "-f",
        str(CI / "minimal.yaml"),
        "--dry-run=client",
    ]
    notes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition("NOTES:")[2]
    assert f"kubectl --namespace {name} get pods" in notes
    assert values["store"]["address"] in notes
    assert values["store"]["title"] not in notes
    assert values["store"]["adminEmail"] not in notes
