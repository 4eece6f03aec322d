"""The limits of a store fit into the quota of its plan, also while a pod is being replaced."""

from __future__ import annotations

import re

import pytest

from control_plane.domain.chart_values import chart_values
from control_plane.domain.plans import Plan
from tests.builders import PLANS, a_store
from tests.chart.rendering import Object, Renderer, containers, named, of_kind, pod_specs

_UNITS = {"": 1.0, "m": 0.001, "Mi": 2.0**20, "Gi": 2.0**30}


@pytest.fixture(params=PLANS)
def plan(request: pytest.FixtureRequest) -> Plan:
    """Each plan in turn."""
    return PLANS[request.param]


@pytest.fixture
def store(renderer: Renderer, plan: Plan) -> list[Object]:
    """The objects of a store on that plan, by the values that provision computes."""
    return renderer.objects(chart_values(a_store(), plan, "store-credentials-1"))


def test_steady_and_surging_limits_leave_room_for_a_job(store: list[Object], plan: Plan) -> None:
    for what in ("cpu", "memory"):
        quota = _amount(plan.quota[f"limits.{what}"])
        pods = {name: _limit(spec, what) for name, spec in pod_specs(store)}
        steady = sum(pods.values())
        # Pods that are still ending count, so every pod at once may be there twice over.
        assert 2 * steady <= quota, what
        # One storefront replaced, and beside it a job with the limits that pods get who forget.
        assert steady + pods["storefront"] + _amount(_defaults(store)[what]) <= quota, what
    assert 2 * len(list(pod_specs(store))) + 2 <= int(plan.quota["pods"])


def test_the_plan_s_limits_and_volumes_are_the_store_s(store: list[Object], plan: Plan) -> None:
    resources = {name: container["resources"] for name, container in containers(store)}
    assert resources == {
        "storefront/web": plan.web.as_values(),
        "storefront/agent": plan.agent.as_values(),
        "database/database": plan.database.as_values(),
    }
    sizes = {
        claim["metadata"]["name"]: claim["spec"]["resources"]["requests"]["storage"]
        for claim in of_kind(store, "PersistentVolumeClaim")
    }
    assert sizes == {"storefront-content": plan.content_storage, "database-data": plan.database_storage}


def test_what_is_counted_by_the_piece_fits(store: list[Object], plan: Plan) -> None:
    claims = of_kind(store, "PersistentVolumeClaim")
    sizes = [_amount(claim["spec"]["resources"]["requests"]["storage"]) for claim in claims]
    assert sum(sizes) <= _amount(plan.quota["requests.storage"])
    assert len(claims) <= int(plan.quota["persistentvolumeclaims"])
    assert len(of_kind(store, "Service")) <= int(plan.quota["services"])
    assert len(of_kind(store, "Ingress")) <= int(plan.quota["count/ingresses.networking.k8s.io"])


def test_requests_are_far_below_limits(store: list[Object]) -> None:
    for name, container in containers(store):
        requests, limits = container["resources"]["requests"], container["resources"]["limits"]
        assert _amount(requests["cpu"]) <= _amount(limits["cpu"]) / 7, name
        assert _amount(requests["memory"]) <= _amount(limits["memory"]) / 4, name


def test_scratch_folders_fit_into_what_their_pod_may_use(store: list[Object]) -> None:
    for name, spec in pod_specs(store):
        scratch = sum(_amount(v["emptyDir"]["sizeLimit"]) for v in spec["volumes"] if "emptyDir" in v)
        assert scratch <= _limit(spec, "ephemeral-storage"), name


def test_the_database_s_buffers_leave_half_of_its_memory(store: list[Object]) -> None:
    settings = dict(re.findall(r"^(\S+) = (\d+M)$", _server_settings(store), re.MULTILINE))
    # The server takes the log's buffer twice.
    names = ("innodb-buffer-pool-size", "innodb-log-buffer-size", "innodb-log-buffer-size", "key-buffer-size")
    buffers = sum(_amount(f"{settings[name]}i") for name in (*names, "aria-pagecache-buffer-size"))
    assert buffers <= _limit(dict(pod_specs(store))["database"], "memory") / 2


def test_containers_that_forget_get_small_limits(store: list[Object], plan: Plan) -> None:
    defaults = _defaults(store)
    assert set(defaults) == {"cpu", "memory", "ephemeral-storage"}
    assert _amount(defaults["cpu"]) <= _amount(plan.agent.limits["cpu"])
    assert _amount(defaults["memory"]) <= _amount(plan.agent.limits["memory"])


def _server_settings(objects: list[Object]) -> str:
    settings: str = named(objects, "ConfigMap", "database-config")["data"]["mariadb.cnf"]
    return settings


def _limit(spec: Object, what: str) -> float:
    """What Kubernetes counts for a pod."""
    return sum(_amount(container["resources"]["limits"][what]) for container in spec["containers"])


def _defaults(objects: list[Object]) -> dict[str, str]:
    (limit_range,) = of_kind(objects, "LimitRange")
    (limit,) = limit_range["spec"]["limits"]
    assert limit["type"] == "Container"
    assert set(limit["default"]) == set(limit["defaultRequest"])
    defaults: dict[str, str] = limit["default"]
    return defaults


def _amount(quantity: str) -> float:
    found = re.fullmatch(r"([0-9]+)(m|Mi|Gi|)", quantity)
    assert found, quantity
    return int(found[1]) * _UNITS[found[2]]
