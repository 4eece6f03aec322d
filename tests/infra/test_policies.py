"""checkov finds nothing that infra/terraform/policies.yaml does not explain, and explains nothing in vain."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from dev.terraform.policies import Report, report
from tests.infra.conftest import ROOT
from tests.infra.mistakes import Mistake


@pytest.fixture(scope="module")
def explained() -> dict[str, str]:
    return yaml.safe_load((ROOT / "policies.yaml").read_text())


@pytest.fixture(scope="module")
def found() -> Report:
    return report(ROOT, "prod", print)


def test_everything_was_read(found: Report) -> None:
    assert found.unread == []
    assert found.passed > 50


def test_no_finding_is_unexplained(found: Report, explained: dict[str, str]) -> None:
    assert {check: where for check, where in found.failed.items() if check not in explained} == {}


def test_no_explanation_is_in_vain(found: Report, explained: dict[str, str]) -> None:
    assert explained.keys() - found.failed.keys() == set()


def test_every_explanation_is_a_sentence(explained: dict[str, str]) -> None:
    assert [reason for reason in explained.values() if not reason.endswith(".")] == []


def test_a_new_fault_is_a_finding(tmp_path: Path, explained: dict[str, str]) -> None:
    clean = tmp_path / "clean"
    shutil.copytree(ROOT, clean, ignore=shutil.ignore_patterns(".terraform"))
    fault = Mistake(
        "backups.tf", 'public_access_prevention    = "enforced"', 'public_access_prevention    = "inherited"'
    )
    made = report(fault.made_in(clean, tmp_path), "prod", print)
    assert made.failed.keys() - explained.keys() == {"CKV_GCP_114"}
