"""The Terraform itself: form, types against the providers' schemas, invariants in each environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.terraform.stand_in import Terraform
from dev.terraform.working_copy import initialised
from tests.infra.conftest import ENVIRONMENTS, ROOT


def test_every_file_is_in_form(program: Terraform) -> None:
    done = program.run(ROOT, "fmt", "-check", "-recursive")
    assert done.code == 0, done.said


def test_the_cloud_fits_the_providers_schema(program: Terraform, root: Path) -> None:
    done = program.run(root, "validate")
    assert done.code == 0, done.said


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_invariants_hold(program: Terraform, root: Path, environment: str) -> None:
    done = program.run(root, "test", f"-var-file=environments/{environment}.tfvars")
    assert done.code == 0, done.said
    assert "0 failed" in done.said


def test_the_platform_fits_its_provider_and_its_invariants_hold(program: Terraform, tmp_path: Path) -> None:
    platform = initialised(program, ROOT / "platform", tmp_path)
    for command in ("validate", "test"):
        done = program.run(platform, command)
        assert done.code == 0, done.said
