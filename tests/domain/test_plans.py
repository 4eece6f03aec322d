"""The plan file: what is in it, what is refused, and what of it reaches stores."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from control_plane import plan_file
from control_plane.domain.plans import Price
from tests.builders import PLANS, STANDARD

PACKAGED = plan_file.PACKAGED.read_text()


def test_the_packaged_file_is_what_the_platform_begins_with() -> None:
    plans = plan_file.read(plan_file.PACKAGED)
    assert set(plans.stores) == {"standard", "business"}
    assert (STANDARD.quota["limits.cpu"], STANDARD.quota["limits.memory"]) == ("5", "4Gi")
    assert PLANS["business"].holds_volumes_of(STANDARD)
    assert not STANDARD.holds_volumes_of(PLANS["business"])
    assert plans.limits_of("a plan that nobody has") == plans.accounts["standard"]


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ("version: 2", "version: 1", "version: Input should be 1"),
        ("content_storage: 10", "content_storage: 10Gi", "stores.standard.content_storage"),
        ("grace_days: -1", "grace_days: 7", "stores.standard.grace_days"),
        ("  premium:", "  standard:", "a plan named 'standard' is needed"),
        ("currency: euro", "currency: EUR", "stores.standard.price.currency"),
        ("surprise: 1\nversion: 1", "version: 1", "surprise: Extra inputs are not permitted"),
        ("version: [", "version: 1", "is not YAML"),
    ],
)
def test_a_file_with_a_mistake_is_refused_by_name(tmp_path: Path, wrong: str, right: str, told: str) -> None:
    file = tmp_path / "plans.yaml"
    file.write_text(PACKAGED.replace(right, wrong))
    with pytest.raises(ValueError, match=re.escape(told)) as raised:
        plan_file.read(file)
    assert str(file) in str(raised.value)


def test_a_process_with_a_wrong_file_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URUMI_PLANS", str(tmp_path / "nowhere.yaml"))
    with pytest.raises(SystemExit, match=r"URUMI_PLANS: .*nowhere\.yaml cannot be read"):
        plan_file.plans.__wrapped__()


def test_the_digest_changes_with_what_pods_are_made_with_and_with_nothing_else() -> None:
    same = {
        "price": Price(minor_units=1, currency="USD"),
        "grace_days": 1,
        "retention_days": 2,
        "trial_days": 3,
    }
    assert STANDARD.model_copy(update=same).digest == STANDARD.digest
    for changed in (
        {"quota": {**STANDARD.quota, "pods": "11"}},
        {"content_storage": "11Gi"},
        {"database_storage": "11Gi"},
        {"web": STANDARD.database},
        {"agent": STANDARD.database},
        {"database": STANDARD.web},
    ):
        assert STANDARD.model_copy(update=changed).digest != STANDARD.digest, changed


@pytest.mark.parametrize(
    ("units", "currency", "told"),
    [
        (2900, "EUR", "29.00 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (500, "JPY", "500 JPY"),
        (1234, "KWD", "1.234 KWD"),
    ],
)
def test_a_price_is_told_with_the_digits_of_its_currency(units: int, currency: str, told: str):
    assert Price(minor_units=units, currency=currency).told == told
