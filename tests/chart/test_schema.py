"""The schema refuses every value that could not be meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.rendering import CHART, ChartRefusedError, Renderer, changed, ci_values

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
LABEL = "a" * 63
KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

WRONG = [
    ("store.id", "", "pattern"),
    ("store.id", "3F2B8C1E-9D47-4A6B-8E05-1C7D2F9A0B34", "pattern"),
    ("store.id", "3f2b8c1e-9d47-4a6b-8e05-1c7d2f9a0b34\n", "pattern"),
    ("store.generation", None, "null"),
    ("store.generation", 0, "minimum"),
    ("store.generation", "3", "integer"),
    ("store.generation", 1.5, "integer"),
    ("store.generation", True, "integer"),
    ("store.hostname", "", "pattern"),
    ("store.hostname", "shop", "pattern"),
    ("store.hostname", "*.shops.example", "pattern"),
    ("store.hostname", "Shop.example", "pattern"),
    ("store.hostname", "shop.example:8088", "pattern"),
    ("store.hostname", "shop.example\nx", "pattern"),
    ("store.hostname", f"{LABEL}a.example", "pattern"),
    ("store.hostname", f"{LABEL}.{LABEL}.{LABEL}.{LABEL}", "maxLength"),
    ("store.formerHostname", "shop", "pattern"),
    ("store.formerHostname", "Shop.example", "pattern"),
    ("store.formerHostname", "shop.example:8088", "pattern"),
    ("store.formerHostname", "shop.example https://elsewhere.example", "pattern"),
    ("store.formerHostname", "shop.example\nother.example", "pattern"),
    ("store.formerHostname", None, "missing"),
    ("store.address", "teapots-k3f9.shops.example", "pattern"),
    ("store.address", "ftp://teapots-k3f9.shops.example", "pattern"),
    ("store.address", "https://teapots-k3f9.shops.example/", "pattern"),
    ("store.address", "https://user:secret@teapots-k3f9.shops.example", "pattern"),
    ("store.address", "https://teapots-k3f9.shops.example:0", "pattern"),
    ("store.title", "", "minLength"),
    ("store.title", "Teapots & Co", "pattern"),
    ("store.title", "VGVhcG90cyAmIENv\n", "pattern"),
    ("store.title", "VGVhcG90cyAmIENvA", "pattern"),
    ("store.title", "VGVhcG90_yAmIENv", "pattern"),
    ("store.title", "QUJD" * 268, "maxLength"),
    ("store.title", 17, "string"),
    ("store.adminEmail", "owner@shops.example", "pattern"),
    ("store.adminEmail", "QUJD" * 108, "maxLength"),
    ("credentials.secret", "", "minLength"),
    ("credentials.secret", "Store_Credentials", "pattern"),
    ("credentials.adminSecret", "Store_Administrator", "pattern"),
    ("credentials.adminNumber", 0, "minimum"),
    ("credentials.adminNumber", 1.5, "integer"),
    ("credentials.adminNumber", "2", "integer"),
    ("credentials.adminNumber", 2**31, "maximum"),
    ("login.keys", ["2026-12"], "object"),
    ("login.keys", {"": KEY}, "not allowed"),
    ("login.keys", {"a b": KEY}, "not allowed"),
    ("login.keys", {"../2026": KEY}, "not allowed"),
    ("login.keys", {"a" * 65: KEY}, "not allowed"),
    ("login.keys", {"2026-12": ""}, "pattern"),
    ("login.keys", {"2026-12": KEY[:-4]}, "pattern"),
    ("login.keys", {"2026-12": f"QUJD{KEY}"}, "pattern"),
    ("login.keys", {"2026-12": f"{KEY}\n"}, "pattern"),
    ("login.keys", {"2026-12": f"{KEY[:-2]}p="}, "pattern"),  # two bits more than 32 bytes
    ("login.keys", {"2026-12": KEY.replace("/", "_")}, "pattern"),
    ("login.keys", {f"key-{number}": KEY for number in range(9)}, "maxProperties"),
    ("images.store", "urumi/store", "anyOf"),
    ("images.store", "urumi/store:latest", "anyOf"),
    ("images.store", "urumi/store:0.1.0 --privileged", "pattern"),
    ("images.store", "images.example:5000/urumi/store", "anyOf"),
    ("images.database", "urumi/database@sha256:abc", "pattern"),
    ("images.pullPolicy", "Sometimes", "one of"),
    ("storefront.replicas", 2, "maximum"),
    ("storefront.replicas", -1, "minimum"),
    ("storefront.notice", "past_due", "one of"),
    ("storefront.notice", "The shop is closed.", "one of"),
    ("storefront.notice", None, "missing"),
    ("database.replicas", 2, "maximum"),
    ("storefront.storage.size", "5", "pattern"),
    ("storefront.storage.size", "0Gi", "pattern"),
    ("storefront.storage.size", 5, "string"),
    ("storefront.web.resources.limits.cpu", 1, "string"),
    ("storefront.web.resources.limits.memory", "768M", "pattern"),
    ("storefront.agent.resources.limits.cpu", None, "missing"),
    ("database.resources.requests.ephemeral-storage", None, "missing"),
    ("storageClass", "Fast SSD", "pattern"),
    ("runtimeClass", "gVisor!", "pattern"),
    ("ingress.className", "", "minLength"),
    ("ingress.controller.namespace", "", "pattern"),
    ("ingress.controller.podLabels", {"app.kubernetes.io/name": None}, "minProperties"),
    ("ingress.controller.podLabels", {"app": "a\nb"}, "pattern"),
    ("dns.podLabels", {"k8s-app": None}, "minProperties"),
    ("dns.nodeLocalAddress", "169.254.20.10/16", "pattern"),
    ("dns.serviceAddress", "10.96.0.300", "pattern"),
    ("plugins", ["../../etc"], "pattern"),
    ("plugins", ["woocommerce", "woocommerce"], "equal"),
    ("plugins", "woocommerce", "array"),
    ("egress", [{"host": "api.payments.example", "port": 443}], "addresses"),
    ("egress", [{"host": "api.payments.example", "port": 443, "addresses": []}], "minItems"),
    ("egress", [{"host": "*.payments.example", "port": 443, "addresses": ["203.0.113.0/24"]}], "pattern"),
    ("egress", [{"host": "api.payments.example", "port": 0, "addresses": ["203.0.113.0/24"]}], "minimum"),
    *(
        ("egress", [{"host": "api.payments.example", "port": 443, "addresses": [block]}], "addresses")
        for block in (
            "0.0.0.0/0",
            "203.0.0.0/8",
            "203.0.113.9",
            "10.0.0.0/16",
            "127.0.0.1/32",
            "100.64.0.0/16",
            "100.127.0.1/32",
            "169.254.169.254/32",
            "172.16.0.0/16",
            "172.31.255.0/24",
            "192.168.1.0/24",
            "224.0.0.1/32",
            "255.255.255.255/32",
        )
    ),
]


@pytest.mark.parametrize(("path", "value", "why"), WRONG)
def test_a_wrong_value_is_refused_by_name(renderer: Renderer, path: str, value: object, why: str) -> None:
    with pytest.raises(ChartRefusedError) as refused:
        renderer.text(changed(ci_values("minimal"), path, value), release="store", namespace="store")
    message = str(refused.value)
    assert "values don't meet the specifications of the schema" in message
    assert f"at '/{path.partition('.')[0]}" in message
    assert why in message


def test_the_longest_right_values_are_accepted(renderer: Renderer) -> None:
    host = f"{LABEL}.{LABEL}.{LABEL}.{'a' * 61}"
    assert len(host) == 253
    values = changed(ci_values("minimal"), "store.hostname", host)
    values = changed(values, "store.address", f"https://{host}:65535")
    renderer.text(changed(values, "store.title", "QUJD" * 267))


@pytest.mark.parametrize(
    "block", ["203.0.113.0/24", "172.15.0.0/16", "172.32.0.0/16", "100.63.0.0/16", "192.167.0.1/32"]
)
def test_public_addresses_beside_the_private_ones_are_accepted(renderer: Renderer, block: str) -> None:
    entry = {"host": "api.payments.example", "port": 443, "addresses": [block]}
    renderer.text(changed(ci_values("minimal"), "egress", [entry]))


def test_no_object_anywhere_takes_unknown_keys(renderer: Renderer) -> None:
    values = ci_values("everything-on")
    paths = [path for path, schema in _schemas(SCHEMA, "") if "properties" in schema]
    assert ".egress[]" in paths
    for path in paths:
        if path == ".egress[]":
            wrong = changed(values, "egress", [values["egress"][0] | {"surprise": "x"}])
        else:
            wrong = changed(values, f"{path}.surprise".lstrip("."), "x")
        with pytest.raises(ChartRefusedError, match="surprise"):
            renderer.text(wrong)


def test_every_key_is_described_and_asked_for() -> None:
    for path, schema in _schemas(SCHEMA, ""):
        if "properties" in schema:
            assert schema["additionalProperties"] is False, path
            assert sorted(schema["required"]) == sorted(schema["properties"]), path
            for name, below in schema["properties"].items():
                description = below["description"]
                assert description[0].isupper(), f"{path}.{name}"
                assert description.endswith("."), f"{path}.{name}"


def _schemas(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a value with its dotted path, definitions resolved."""
    for reference in schema.get("allOf", []):
        schema = SCHEMA["definitions"][reference["$ref"].rpartition("/")[2]] | schema
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from _schemas(below, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from _schemas(schema["items"], f"{path}[]")
