"""The schema that all is compared with: read again from the pinned package, and what is known of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from dev.terraform import place
from dev.terraform.schema import SchemaError, extract


@pytest.fixture(scope="module")
def google() -> Mapping[str, Any]:
    return json.loads(place.schema("google", print).read_bytes())


@pytest.mark.parametrize("provider", place.PROVIDERS)
def test_what_is_kept_is_what_the_package_says(provider: str) -> None:
    (wheel,) = place.packages(print).glob(f"cdktn_provider_{provider}-*.whl")
    kept = json.loads(place.schema(provider, print).read_bytes())
    assert extract(wheel, blocks=place.PROVIDERS[provider]) == kept


def test_all_of_google_is_there(google: Mapping[str, Any]) -> None:
    assert (len(google["resources"]), len(google["data"])) == (1375, 471)


def test_an_attribute_has_its_type_and_who_sets_it(google: Mapping[str, Any]) -> None:
    topic = google["resources"]["google_pubsub_topic"]["attributes"]
    assert topic["name"] == {"type": "string", "required": True}
    assert topic["labels"] == {"type": ["map", "string"], "optional": True}
    assert topic["effective_labels"] == {"type": ["map", "string"], "computed": True}
    firewall = google["resources"]["google_compute_firewall"]["attributes"]
    assert firewall["source_ranges"]["type"] == ["set", "string"]


def test_a_block_has_its_nesting_and_number(google: Mapping[str, Any]) -> None:
    subscription = google["resources"]["google_pubsub_subscription"]["blocks"]
    assert subscription["push_config"]["most"] == 1
    assert subscription["push_config"]["block"]["blocks"]["oidc_token"]["nesting"] == "list"
    secret = google["resources"]["google_secret_manager_secret"]["blocks"]
    assert (secret["replication"]["least"], secret["replication"]["most"]) == (1, 1)
    firewall = google["resources"]["google_compute_firewall"]["blocks"]
    assert (firewall["allow"]["nesting"], firewall["allow"]["most"]) == ("set", 0)


def test_a_resource_that_is_written_in_several_files_is_whole(google: Mapping[str, Any]) -> None:
    cluster = google["resources"]["google_container_cluster"]
    endpoints = cluster["blocks"]["control_plane_endpoints_config"]["block"]["blocks"]
    assert endpoints["dns_endpoint_config"]["block"]["attributes"]["endpoint"]["computed"]


def test_another_package_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    import zipfile

    other = tmp_path_factory.mktemp("wheel") / "other.whl"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("other/__init__.py", "")
    with pytest.raises(SchemaError, match="0 inner packages"):
        extract(other)
