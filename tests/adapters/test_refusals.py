"""Whose fault it is when a cell says no: read off what Helm and an API server really say."""

from __future__ import annotations

import json

import pytest

from control_plane.adapters.helm_errors import error_of
from control_plane.adapters.kubernetes_api import NotYetError, RefusedError, _raise
from control_plane.domain.errors import CellUnreachableError, PermanentError, TemporaryError

_PREFIX = "Error: UPGRADE FAILED: "


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        (
            "values don't meet the specifications of the schema(s) in the following chart(s): store",
            PermanentError,
        ),
        (
            "failed to create resource: server-side apply failed for object s/x /v1, Kind=ConfigMap: failed"
            " to create typed patch object (s/x; /v1, Kind=ConfigMap): .dataa: field not declared in schema",
            PermanentError,
        ),
        ("Kubernetes cluster unreachable: the server is currently unable to handle", CellUnreachableError),
        ('services "web" is forbidden: exceeded quota: plan, requested: services=1', PermanentError),
        ('secrets is forbidden: User "provision" cannot create resource', CellUnreachableError),
        ("another operation (install/upgrade/rollback) is in progress", TemporaryError),
        (
            'secrets "x" is forbidden: status unknown for quota: plan, resources: count/secrets',
            TemporaryError,
        ),
        ('Get "https://127.0.0.1:6443/api/v1/namespaces": EOF', CellUnreachableError),
        ("etcdserver: request timed out", CellUnreachableError),
        ("Unauthorized", CellUnreachableError),
        ('exec: dial tcp: i/o timeout\nservices "web" is forbidden: exceeded quota: plan', PermanentError),
        ('chart "store" matching 2 not found in urumi index', PermanentError),
    ],
)
def test_helm(stderr: str, kind: type[Exception]) -> None:
    assert type(error_of(1, f"{_PREFIX}{stderr}")) is kind


@pytest.mark.parametrize("name", ["geoffs-shop", "eof", "etcdserver", "unauthorized", "serviceunavailable"])
def test_no_name_of_a_store_makes_a_cell_unreachable(name: str) -> None:
    refused = f'Ingress.networking.k8s.io "{name}" is invalid: spec.rules[0].host: "{name}.shops.example"'
    assert type(error_of(1, f"{_PREFIX}{refused}")) is PermanentError
    unknown = f'{_PREFIX}secrets "{name}-chart" of {name}-chart.shops.example not found'
    assert type(error_of(1, unknown)) is TemporaryError


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (
            403,
            'secrets "x" is forbidden: status unknown for quota: plan, resources: count/secrets',
            NotYetError,
        ),
        (403, 'namespaces "x" is forbidden: not yet ready to handle request', NotYetError),
        (403, 'secrets "x" is forbidden: exceeded quota: plan', RefusedError),
        (
            403,
            'secrets is forbidden: User "provision" cannot create resource "secrets"',
            CellUnreachableError,
        ),
        (422, "Deployment.apps is invalid", RefusedError),
        (503, "the server is currently unable", CellUnreachableError),
    ],
)
def test_an_api_server(status: int, message: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised:
        _raise(status, json.dumps({"message": message}).encode())
    assert type(raised.value) is kind


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Forbidden", "Forbidden"),
        (b"<html>403</html>", "<html>403</html>"),
        (b'{"error": {"code": 403, "message": "Permission denied on it"}}', "Permission denied on it"),
        (b'{"error": "no"}', '{"error": "no"}'),
        (b"[]", "[]"),
        (b"", ""),
    ],
)
def test_a_refusal_of_what_stands_before_the_api_server_is_not_the_stores_fault(
    content: bytes, said: str
) -> None:
    with pytest.raises(CellUnreachableError) as refused:
        _raise(403, content)
    assert str(refused.value) == f"what stands before the cell's API server answers 403: {said}"
