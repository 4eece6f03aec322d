"""Each invariant is tested: break what it is about in a copy, and see its own words."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from dev.terraform.stand_in import Outcome, Terraform
from tests.infra.broken import BROKEN, Broken


@pytest.fixture(scope="module")
def told(
    program: Terraform, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Outcome]]]:
    """What Terraform says of each, tried on all processors: each takes one of them for two seconds."""

    def tried(name: str, broken: Broken) -> Outcome:
        copy = broken.mistake.made_in(root, tmp_path_factory.mktemp(name.replace(" ", "-")))
        tests = f"tests/{broken.tests}.tftest.hcl"
        return program.run(copy, "test", f"-filter={tests}", "-var-file=environments/prod.tfvars")

    pool = ThreadPoolExecutor(os.cpu_count())
    yield {name: pool.submit(tried, name, broken) for name, broken in BROKEN.items()}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told(told: Mapping[str, Future[Outcome]], name: str) -> None:
    done = told[name].result()
    assert done.code == 1
    assert BROKEN[name].complaint in " ".join(done.said.split()), done.said
