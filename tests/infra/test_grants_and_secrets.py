"""What no resource may have, whichever it is: a broad role, everybody, or a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dev.terraform import place
from dev.terraform.applied import Resource

PRIMITIVE = {"roles/owner", "roles/editor", "roles/viewer"}
EVERYBODY = {"allUsers", "allAuthenticatedUsers"}
# Arguments whose value is a secret. A reference to one (`secret`, `secret_id`) is none.
SECRET = {
    "access_token", "auth_string", "client_key", "client_secret", "password", "private_key", "root_password",
    "secret_data", "shared_secret", "token",
}  # fmt: skip
# Resources that keep one in the state whatever they are told.
KEEPERS = {"google_service_account_key", "random_password", "tls_private_key"}
# Settings of the functions that hold one.
SETTINGS = {
    "URUMI_CREDENTIALS_KEYS", "URUMI_LOGIN_KEYS", "URUMI_OIDC_CLIENT_SECRETS", "URUMI_STRIPE_WEBHOOK_SECRET",
    "URUMI_STRIPE_API_KEY",
}  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> Mapping[str, Any]:
    return json.loads(place.schema("google", print).read_bytes())["resources"]


def broad(resource: Resource) -> list[str]:
    """Roles and members of a grant that are too much."""
    members = [resource.values.get("member"), *(resource.values.get("members") or [])]
    return [each for each in (resource.values.get("role"), *members) if each in PRIMITIVE | EVERYBODY]


def secrets(resource: Resource, schema: Mapping[str, Any]) -> Iterator[str]:
    """Names of a resource's arguments that were given a secret."""
    if resource.type in KEEPERS:
        yield resource.type
    if resource.type in schema:
        yield from _given(resource.values, schema[resource.type])


def _given(values: Mapping[str, Any], block: Mapping[str, Any]) -> Iterator[str]:
    for name, attribute in block["attributes"].items():
        # A mocked provider answers what is computed; the rest was given.
        if name in SECRET and values.get(name) is not None and not attribute.get("computed"):
            yield name
    if values.get("name") in SETTINGS and values.get("value"):
        yield values["name"]
    for name, nested in block["blocks"].items():
        inside = values.get(name) or []
        for one in inside if isinstance(inside, list) else [inside]:
            yield from _given(one, nested["block"])


def test_no_grant_is_broad(resources: list[Resource]) -> None:
    assert {each.address: found for each in resources if (found := broad(each))} == {}


def test_no_resource_is_given_a_secret(resources: list[Resource], schema: Mapping[str, Any]) -> None:
    assert {each.address: found for each in resources if (found := list(secrets(each, schema)))} == {}


def test_the_address_of_the_database_has_no_password(resources: list[Resource]) -> None:
    found = [
        setting["value"]
        for each in resources
        if each.type in ("google_cloud_run_v2_service", "google_cloud_run_v2_job")
        for container in _containers(each.values)
        for setting in container["env"]
        if setting["name"] == "DATABASE_URL"
    ]
    assert len(found) == 7  # six functions and the migrations
    for url in found:
        user = url.removeprefix("postgresql+pg8000://").partition("@")[0]
        assert ":" not in user


def _containers(values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    template = values["template"][0]
    yield from template.get("containers") or template["template"][0]["containers"]


def _of(type_: str, **values: Any) -> Resource:
    return Resource(f"{type_}.made_up", type_, values)


@pytest.mark.parametrize(
    "grant",
    [
        _of("google_project_iam_member", role="roles/editor", member="user:a@b.example"),
        _of("google_project_iam_binding", role="roles/viewer", members=["user:a@b.example"]),
        _of("google_storage_bucket_iam_member", role="roles/storage.objectViewer", member="allUsers"),
        _of(
            "google_pubsub_topic_iam_binding",
            role="roles/pubsub.publisher",
            members=["allAuthenticatedUsers"],
        ),
    ],
)
def test_a_broad_grant_is_found(grant: Resource) -> None:
    assert broad(grant)


@pytest.mark.parametrize(
    "resource",
    [
        _of("google_secret_manager_secret_version", secret="a", secret_data="b"),
        _of("google_sql_user", name="a", password="b"),
        _of("google_sql_database_instance", root_password="b"),
        _of("google_service_account_key", service_account_id="a"),
        _of(
            "google_cloud_run_v2_service",
            template=[{"containers": [{"env": [{"name": "URUMI_STRIPE_API_KEY", "value": "sk_1"}]}]}],
        ),
    ],
    ids=lambda resource: resource.type,
)
def test_a_secret_is_found(resource: Resource, schema: Mapping[str, Any]) -> None:
    assert list(secrets(resource, schema))


def test_a_write_only_argument_is_no_secret_in_the_state(schema: Mapping[str, Any]) -> None:
    version = _of(
        "google_secret_manager_secret_version", secret="a", secret_data_wo="b", secret_data_wo_version=1
    )
    assert list(secrets(version, schema)) == []
