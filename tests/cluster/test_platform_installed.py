"""`up` puts the platform chart and the credentials into a cluster, whatever it finds there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.adapters.kubernetes_api import Object
from dev.cluster import credentials, platform
from dev.cluster.cluster import Cluster, ClusterError
from tests.cluster.attacks import ADMISSION
from tests.cluster.world import World

SYSTEM = f"/api/v1/namespaces/{credentials.NAMESPACE}"
OPERATOR = f"{SYSTEM}/serviceaccounts/operator"


@pytest.fixture
def cluster(world: World) -> Cluster:
    """The world's, as its provider gave it."""
    return Cluster("simulated", world.place.kubeconfig, Path(world.values["URUMI_HELM"]), "simulated", ())


@pytest.fixture
def up(world: World, cluster: Cluster) -> Iterator[Callable[[Cluster], list[str]]]:
    """Have the platform installed with a person's kubeconfig; what was said meanwhile."""

    def run(with_: Cluster) -> list[str]:
        said: list[str] = []
        platform.up(world.place, with_, said.append)
        return said

    yield run
    run(cluster)
    world.up()  # functions hold their credentials from start to end


def _record(world: World) -> Object:
    """Helm's newest record of the platform."""
    selector = f"owner=helm,name={credentials.NAMESPACE}"
    pages = world.cluster.pages(f"{SYSTEM}/secrets", selector=selector)
    records: list[Object] = [item for page in pages for item in page["items"]]
    return max(records, key=lambda each: int(each["metadata"]["labels"]["version"]))


def _label(world: World, **changes: str) -> None:
    record = _record(world)
    record["metadata"]["labels"] |= {key.replace("__", "/"): value for key, value in changes.items()}
    world.cluster.replace(f"{SYSTEM}/secrets/{record['metadata']['name']}", record)


def _tokens(world: World) -> list[str | None]:
    files = (credentials.file(world.place, name) for name in credentials.IDENTITIES)
    return [platform.kubeconfig.token_of(file) for file in files]


def test_what_is_in_order_is_left_alone(
    world: World, cluster: Cluster, up: Callable[[Cluster], list[str]]
) -> None:
    before, record = _tokens(world), _record(world)
    assert up(cluster) == []
    assert (_tokens(world), _record(world)) == (before, record)


@pytest.mark.parametrize(
    "changes",
    [{"urumi.dev__digest": "another"}, {"status": "pending-upgrade"}, {"status": "failed"}],
    ids=str,
)
def test_another_chart_or_a_half_installed_one_is_replaced(
    world: World, cluster: Cluster, up: Callable[[Cluster], list[str]], changes: dict[str, str]
) -> None:
    _label(world, **changes)
    before = int(_record(world)["metadata"]["labels"]["version"])
    assert len(up(cluster)) == 1
    labels = _record(world)["metadata"]["labels"]
    assert (int(labels["version"]), labels["status"]) == (before + 1, "deployed")


def test_lost_accounts_come_back_with_new_tokens(
    world: World, cluster: Cluster, up: Callable[[Cluster], list[str]]
) -> None:
    before = _tokens(world)
    world.cluster.delete(OPERATOR)
    # The API server goes on taking the token for some seconds, but none with another signature.
    file = credentials.file(world.place, "operator")
    file.write_text(file.read_text().replace(str(before[-1]), f"{str(before[-1])[:-8]}AAAAAAAA"))
    assert len(up(cluster)) == 1
    assert world.cluster.get(OPERATOR)
    assert not set(before) & set(_tokens(world))


def test_a_policy_that_was_loosened_by_hand_is_put_back(
    world: World, cluster: Cluster, up: Callable[[Cluster], list[str]]
) -> None:
    path = f"{ADMISSION}/validatingadmissionpolicies/urumi-namespaces"
    before = world.cluster.get(path)
    assert before
    loose = {**before["spec"], "validations": [{"expression": "true"}]}
    world.cluster.replace(path, {**before, "spec": loose})
    _label(world, **{"urumi.dev__digest": "another"})
    up(cluster)
    after = world.cluster.get(path)
    assert after
    assert after["spec"] == before["spec"]


def test_a_person_without_the_rights_is_told_what_it_takes(
    world: World, cluster: Cluster, up: Callable[[Cluster], list[str]], tmp_path: Path
) -> None:
    _label(world, **{"urumi.dev__digest": "another"})
    copy = tmp_path / "kubeconfig"
    copy.write_text(credentials.file(world.place, "operator").read_text())
    with pytest.raises(ClusterError, match="may make ClusterRoles"):
        up(replace(cluster, kubeconfig=copy))
    copy.write_text(credentials.file(world.place, "reconcile").read_text())
    with pytest.raises(ClusterError, match="lacks rights"):
        up(replace(cluster, kubeconfig=copy))
