"""etcd, API server, controller manager and scheduler of one place: files made, processes started in the
order of their needs. What runs the pods is the provider's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dev.cluster import identities, kubeconfig, parts
from dev.cluster.api import Api, RefusedError
from dev.cluster.build import Tools
from dev.cluster.cluster import ClusterError
from dev.cluster.identities import Identity
from dev.cluster.part import SECONDS, ensure, ensure_listening
from dev.machine.errors import MachineError
from dev.machine.place import Place
from dev.machine.private_files import write_private
from dev.machine.waiting import http_status, until

SETTINGS = Path(__file__).parent / "settings"


@dataclass(frozen=True)
class Shape:
    """What differs from provider to provider."""

    context: str  # in kubeconfigs
    home: str  # the folder in the place's data
    network: parts.Network
    controller_flags: Sequence[str]
    scheduler: Mapping[str, Any]  # KubeSchedulerConfiguration
    kubelet_client: parts.Certificate | None = None


class ControlPlane:
    """The servers of one place, and who may speak to them."""

    def __init__(self, place: Place, tools: Tools, shape: Shape) -> None:
        self._place = place
        self._tools = tools
        self._shape = shape
        self.home = place.data / shape.home
        self.home.mkdir(exist_ok=True)
        self._tokens = identities.tokens(self.home / "tokens.json")
        self._files = parts.ApiServerFiles(
            certificates=self.home / "certificates",
            signing_key=_signing_key(self.home / "service-account.key"),
            tokens=self.written("tokens.csv", identities.token_file(self._tokens)),
            audit_policy=SETTINGS / "audit-policy.yaml",
            audit_log=place.logs / "audit.log",
            kubelet_client=shape.kubelet_client,
        )

    def servers(self) -> Api:
        """Have etcd and the API server, and the admin's kubeconfig. Raises MachineError."""
        etcd_port = ensure_listening(
            self._place,
            parts.ETCD,
            lambda port: parts.etcd(self._tools, self.home / "etcd", port),
            lambda port: http_status(port, "/health") == 200,
            home=self.home,
        )
        api_port = ensure_listening(
            self._place,
            parts.API_SERVER,
            lambda port: parts.api_server(self._tools, self._files, self._shape.network, port, etcd_port),
            lambda port: self._api(port).ready(),
            reads=[self._files.tokens, self._files.audit_policy],
            home=self.home,
            host=self._shape.network.address,
        )
        api = self._api(api_port)
        write_private(self._place.kubeconfig, self.kubeconfig(api, identities.ADMIN))
        return api

    def clients(self, api: Api) -> None:
        """Have the controller manager and the scheduler."""
        config = self.kubeconfig_file(api, identities.CONTROLLER_MANAGER)
        argv = parts.controller_manager(self._tools, self._files, config, self.home / "plugins")
        argv += self._shape.controller_flags
        ensure(self._place, parts.CONTROLLER_MANAGER, argv, reads=[config], home=self.home)
        config = self.kubeconfig_file(api, identities.SCHEDULER)
        connection = {"kubeconfig": str(config), "qps": 500, "burst": 1000}
        settings = {**self._shape.scheduler, "clientConnection": connection}
        configuration = self.written("scheduler.yaml", yaml.safe_dump(settings))
        argv = parts.scheduler(self._tools, configuration)
        ensure(self._place, parts.SCHEDULER, argv, reads=[config, configuration], home=self.home)

    def await_usable(self, api: Api, node: str, keeper: str) -> None:
        """Wait for what shows that the clients work: pods need a service account and a node that its
        `keeper`, a part, has made ready. Raises MachineError."""
        accounts = "/api/v1/namespaces/default/serviceaccounts/default"
        for name, works in (
            (parts.CONTROLLER_MANAGER, lambda: api.get(accounts) is not None),
            (keeper, lambda: _takes_pods(api.get(f"/api/v1/nodes/{node}"))),
        ):
            until(self._place, name, works, seconds=SECONDS)

    def kubeconfig(self, api: Api, identity: Identity) -> str:
        """The text of that identity's kubeconfig."""
        cluster = kubeconfig.trusting(api.server, self._ca.read_bytes())
        return kubeconfig.with_token(self._shape.context, cluster, self._tokens[identity])

    def kubeconfig_file(self, api: Api, identity: Identity) -> Path:
        """The same as a file in `home`."""
        return self.written(f"{identity.user.rpartition(':')[2]}.kubeconfig", self.kubeconfig(api, identity))

    def written(self, name: str, text: str) -> Path:
        """A file in `home` with that text, for its owner only."""
        path = self.home / name
        write_private(path, text)
        return path

    def _api(self, port: int) -> Api:
        # The server makes its certificate at its first start and keeps no key of who signed it; the
        # file holds the signer's certificate too, and that is what clients trust.
        server = f"https://{self._shape.network.address}:{port}"
        return Api(server, self._ca, self._tokens[identities.STARTER])

    @property
    def _ca(self) -> Path:
        return self._files.certificates / "apiserver.crt"


@contextmanager
def told(place: Place) -> Iterator[None]:
    """Errors of starting parts as ClusterError."""
    try:
        yield
    except MachineError as error:
        raise ClusterError(str(error)) from error
    except RefusedError as error:
        log = place.log(parts.API_SERVER)
        raise ClusterError(f"the API server refused what its own start needs: {error}; see {log}") from error


def create_missing(api: Api, objects: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Create those objects that are not there, by the path of their collection. Raises RefusedError."""
    for collection, wanted in objects.items():
        for one in wanted:
            if api.get(f"{collection}/{one['metadata']['name']}") is None:
                api.create(collection, one)


def setting(file: str) -> dict[str, Any]:
    """A file of `settings/`."""
    content: dict[str, Any] = yaml.safe_load((SETTINGS / file).read_text())
    return content


def _takes_pods(node: dict[str, Any] | None) -> bool:
    if node is None or node["spec"].get("taints"):
        return False
    conditions = node["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _signing_key(file: Path) -> Path:
    """The key that signs service accounts' tokens, made once."""
    if not file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        write_private(file, pem.decode())
    return file
