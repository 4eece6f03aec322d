"""What brings a defect to light. Each works on a store of its own and returns its id."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from control_plane.adapters.kubernetes_api import KubernetesApi, RefusedError
from tests.cluster.world import World
from tests.faults.hands import Child, Hands
from tests.faults.helm import Helm

SECRETS_POLICY = "urumi-secrets"
LEASE = 5.5  # seconds until a lease of these tests' settings is over


@dataclass(frozen=True)
class Scene:
    """The sound platform, and hands that work with the code under suspicion."""

    world: World
    hands: Hands

    def create(self) -> str:
        """A new store, QUEUED."""
        store_id: str = self._create().wait().result
        return store_id

    def begin_creating(self, *, at: str) -> Child:
        """A creation that is killed at that moment."""
        return self._create(at=at, how="kill").wait()

    def provision(self, store_id: str) -> Child:
        """A message for the store, worked on to its end."""
        return self.hands.run("provision", store_id=store_id)

    def provision_whole(self, store_id: str) -> None:
        """Messages for the store until one is worked on to its end: a busy cell has workers come again."""

        def applied() -> bool:
            self.provision(store_id)
            row = self.world.show_row(store_id)
            self.world.sql(
                "UPDATE stores SET next_attempt_at = clock_timestamp() WHERE id = :id", id=store_id
            )
            return int(row["applied_generation"]) >= int(row["generation"])

        _await(applied, f"it is never applied: {self.world.told([store_id])}")

    def kill(self, store_id: str, at: str) -> None:
        """A worker dies at that moment, and its lease is over."""

        def died() -> bool:
            killed = self.hands.begin("provision", at=at, how="kill", store_id=store_id).wait()
            # Nobody is robbed, because it is dead; waiting would take Helm's 25 s.
            over = "UPDATE stores SET lease_until = clock_timestamp(), next_attempt_at = clock_timestamp()"
            self.world.sql(f"{over} WHERE id = :id", id=store_id)
            return killed.status == -signal.SIGKILL

        _await(died, f"no worker comes to {at}: {self.world.told([store_id])}")

    def stop(self, store_id: str, at: str) -> Child:
        """A worker that has stopped at that moment."""
        return self.hands.begin("provision", at=at, how="stop", store_id=store_id).await_stop()

    def delete(self, store_id: str) -> None:
        """The customer wants it gone at once."""
        name = self.world.show_row(store_id)["name"]
        self.hands.run("ask", store_id=store_id, what="purge", given=name)

    def pass_until(self, happens: Callable[[], bool], otherwise: str) -> None:
        """Passes, one after the other."""
        _await(lambda: bool(self.hands.run("reconcile")) and happens(), otherwise)

    def state(self, store_id: str) -> str:
        """What the row says."""
        return str(self.world.show_row(store_id)["state"])

    def _create(self, **more: str) -> Child:
        name = f"shop-{uuid4().hex[:8]}"
        return self.hands.begin("create", name=name, key=name, **more)


def created(scene: Scene) -> str:
    """An order."""
    return scene.create()


def installed(scene: Scene) -> str:
    """An order that provision has handed to the cluster."""
    store_id = scene.create()
    scene.provision_whole(store_id)
    return store_id


def announced_but_never_recorded(scene: Scene) -> str:
    """The API dies just before it records the order; whatever it has said by then reaches provision."""
    said = "SELECT count(*) AS n FROM dead_letters WHERE kind = 'unknown-store'"
    before = scene.world.sql(said)[0]["n"]
    scene.begin_creating(at="stores.add")
    give_up = time.monotonic() + 5
    while scene.world.sql(said)[0]["n"] == before:
        if time.monotonic() > give_up:
            return ""  # nothing was said
        time.sleep(0.1)
    letters = scene.world.sql("SELECT store_id FROM dead_letters ORDER BY parked_at DESC LIMIT 1")
    return str(letters[0]["store_id"])


def taken_from_a_live_worker(scene: Scene) -> str:
    """A second message comes while a worker is within its lease."""
    store_id = scene.create()
    first = scene.stop(store_id, "releases.apply")
    scene.provision(store_id)
    first.go_on().wait()
    return store_id


def continued_by_a_worker_that_was_stopped_at_the_first_step(scene: Scene) -> str:
    """A worker is stopped as it begins, another finishes, and it goes on."""
    store_id = scene.create()
    first = scene.stop(store_id, "work.begin")
    time.sleep(LEASE)
    scene.provision_whole(store_id)
    first.go_on().wait()
    return store_id


def continued_after_its_lease_by_a_stopped_worker(scene: Scene) -> str:
    """A worker is stopped before its first step in the cell; the store is deleted; it goes on."""
    store_id = scene.create()
    first = scene.stop(store_id, "cluster.ensure_namespace")
    scene.delete(store_id)
    time.sleep(LEASE)
    scene.provision(store_id)
    scene.pass_until(lambda: scene.state(store_id) == "DELETED", "it is never DELETED")
    first.go_on().wait()
    return store_id


def freed_by_a_worker_that_was_stopped_before(scene: Scene) -> str:
    """A worker finds the release locked, is stopped, and goes on when its lease is over."""
    store_id = scene.create()
    _die_in_helm(scene, store_id)
    first = scene.stop(store_id, "releases.free")
    time.sleep(26)  # a lease that lasts for Helm
    first.go_on().wait()
    return store_id  # the next upgrade would write over what Helm's record says now


def installed_again_after_a_kill(scene: Scene) -> str:
    """The worker dies when Helm is done but nothing is recorded; the next one does it all again.

    The cell's admission policy alone would stop a worker from touching the Secret: it is lifted.
    """
    store_id = scene.create()
    scene.kill(store_id, "work.record_release")
    with _policy_lifted(scene.world, store_id):
        scene.provision_whole(store_id)
    return store_id


def rolled_back_by_hand(scene: Scene) -> str:
    """Somebody puts an older release's workload back."""
    store_id = installed(scene)
    scene.pass_until(lambda: scene.state(store_id) == "READY", "it is never READY")
    path = f"/apis/apps/v1/namespaces/store-{store_id}/deployments/storefront"
    found = scene.world.cluster.get(path)
    assert found
    found["metadata"]["annotations"]["urumi.dev/generation"] = "0"
    del found["metadata"]["resourceVersion"]  # a controller may write its status meanwhile
    scene.world.cluster.replace(path, found)
    for _ in range(2):
        scene.hands.run("reconcile")
    return store_id


def deleted_while_somebody_holds_the_namespace(scene: Scene) -> str:
    """A finalizer that is not ours keeps the namespace Terminating."""
    store_id = installed(scene)
    held = {"metadata": {"name": "held", "finalizers": ["example.com/somebody"]}}
    scene.world.cluster.create(f"/api/v1/namespaces/store-{store_id}/configmaps", held)
    scene.delete(store_id)
    scene.provision(store_id)
    for _ in range(3):
        scene.hands.run("reconcile")
    return store_id


@contextmanager
def _policy_lifted(world: World, store_id: str) -> Iterator[None]:
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    found = world.cluster.get(f"{path}/{SECRETS_POLICY}")
    assert found
    world.cluster.delete(f"{path}/{SECRETS_POLICY}")
    provision = KubernetesApi(str(world.place.data / "credentials" / "provision.kubeconfig"))
    secret = f"/api/v1/namespaces/store-{store_id}/secrets/store-credentials-1"
    try:
        _await(lambda: _may_delete(provision, secret), "the policy is still in force")
        yield
    finally:
        kept = {name: found["metadata"].get(name, {}) for name in ("name", "labels", "annotations")}
        world.cluster.create(path, {"metadata": kept, "spec": found["spec"]})


def _may_delete(api: KubernetesApi, path: str) -> bool:
    try:
        api.delete(f"{path}?dryRun=All")
    except RefusedError:
        return False
    return True


def _die_in_helm(scene: Scene, store_id: str) -> None:
    """The release is left in pending-install, as by a worker that died with its Helm."""
    scene.kill(store_id, "releases.apply")
    Helm(scene.world, store_id).die_installing()


def _await(happens: Callable[[], bool], otherwise: str) -> None:
    give_up = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < give_up, otherwise
        time.sleep(0.005)
