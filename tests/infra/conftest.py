from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.machine.place import CHECKOUT
from dev.terraform.applied import Resource, applied
from dev.terraform.stand_in import Terraform, terraform
from dev.terraform.working_copy import initialised

ROOT = CHECKOUT / "infra/terraform"
ENVIRONMENTS = ("dev", "prod")


@pytest.fixture(scope="session")
def program() -> Iterator[Terraform]:
    with terraform(ROOT, print) as found:
        yield found


@pytest.fixture(scope="session")
def root(program: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first root, as it is in the checkout."""
    return initialised(program, ROOT, tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def resources(request: pytest.FixtureRequest, program: Terraform, root: Path) -> list[Resource]:
    """All that an apply would make, in one environment after the other."""
    return applied(program, root, request.param)
