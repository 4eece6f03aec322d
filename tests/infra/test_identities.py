"""The README's table says who may do what, and it is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.terraform.applied import Resource, applied
from dev.terraform.document import written
from dev.terraform.identities import UnknownGrantError, table
from dev.terraform.stand_in import Terraform
from tests.infra.conftest import ROOT


@pytest.fixture(scope="module")
def made(program: Terraform, root: Path) -> str:
    return table(applied(program, root, "prod"))


def _account(name: str) -> Resource:
    values = {"account_id": name, "display_name": "made up", "name": f"n-{name}", "id": f"i-{name}"}
    return Resource(
        f"google_service_account.{name}",
        "google_service_account",
        values | {"email": f"e-{name}", "member": f"m-{name}"},
    )


def test_the_readme_has_the_table_that_the_code_makes(made: str) -> None:
    assert written((ROOT / "README.md").read_text()) == made, "run: python -m dev.terraform identities"


def test_every_account_is_in_it(made: str) -> None:
    for name in (
        "create-store",
        "console",
        "provision-eu-1",
        "reconcile-eu-1",
        "billing-event",
        "stripe-webhook",
        "migrate",
    ):
        assert f"| `{name}` |" in made


def test_another_grant_changes_it() -> None:
    grant = Resource(
        "google_pubsub_topic_iam_member.one",
        "google_pubsub_topic_iam_member",
        {"topic": "store-intents", "role": "roles/pubsub.publisher", "member": "m-one"},
    )
    assert "| `one` | made up | nothing |" in table([_account("one")])
    assert "| `one` | made up | pubsub.publisher on topic `store-intents` |" in table(
        [_account("one"), grant]
    )


def test_a_grant_of_an_unknown_kind_is_not_left_out() -> None:
    grant = Resource(
        "google_kms_crypto_key_iam_member.one",
        "google_kms_crypto_key_iam_member",
        {"role": "roles/cloudkms.viewer", "member": "m-one"},
    )
    with pytest.raises(UnknownGrantError, match="google_kms_crypto_key_iam_member"):
        table([_account("one"), grant])
