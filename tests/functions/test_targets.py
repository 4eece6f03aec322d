"""FUNCTION_TARGET alone says which file is served."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from control_plane.targets import source_of

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
SERVED = ("functions_framework.http", "functions_framework.cloud_event")


def targets_in(source: Path) -> list[str]:
    """The functions in a file that the framework can serve."""
    return [
        one.name
        for one in ast.parse(source.read_text()).body
        if isinstance(one, ast.FunctionDef)
        and any(ast.unparse(each) in SERVED for each in one.decorator_list)
    ]


def test_every_function_that_can_be_served_is_found_by_its_name_alone() -> None:
    found = {target: source for source in FUNCTIONS.glob("*/main.py") for target in targets_in(source)}
    assert found.keys() == {
        "create_store", "console", "provision", "reconcile", "billing_event", "stripe_webhook",
    }  # fmt: skip
    assert {target: source_of(target) for target in found} == found


@pytest.mark.parametrize("target", ["", "main", "../functions/provision", "provision/", ".", "/provision"])
def test_what_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match=r"there are .*provision, reconcile, stripe_webhook"):
        source_of(target)
