"""The simulated cluster's parts in one place: files made, processes started in the order of their needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dev.cluster import identities, kubeconfig, parts, stages
from dev.cluster.api import Api, RefusedError
from dev.cluster.build import Tools
from dev.cluster.cluster import ClusterError, Say
from dev.cluster.identities import Identity
from dev.cluster.part import SECONDS, ensure, ensure_listening
from dev.machine.errors import MachineError
from dev.machine.place import Place
from dev.machine.private_files import write_private
from dev.machine.waiting import http_status, until

CONTEXT = "urumi-simulated"

_SETTINGS = Path(__file__).parent / "settings"


class ControlPlane:
    """etcd, API server, controller manager, scheduler and kwok of one place."""

    def __init__(self, place: Place, tools: Tools) -> None:
        self._place = place
        self._tools = tools
        self._home = place.data / "cluster"
        self._home.mkdir(exist_ok=True)
        self._tokens = identities.tokens(self._home / "tokens.json")
        self._files = parts.ApiServerFiles(
            certificates=self._home / "certificates",
            signing_key=_signing_key(self._home / "service-account.key"),
            tokens=self._written("tokens.csv", identities.token_file(self._tokens)),
            audit_policy=_SETTINGS / "audit-policy.yaml",
            audit_log=place.logs / "audit.log",
        )

    def up(self, delay: float, say: Say) -> None:
        """Start what does not run; returns when pods can be placed, ready `delay` seconds later.

        Raises ClusterError.
        """
        try:
            api = self._servers()
            self._objects(api)
            write_private(self._place.kubeconfig, self._kubeconfig(api, identities.ADMIN))
            self._controllers(api)
            self._scheduler(api)
            self._kwok(api, delay)
            self._await_usable(api)
        except MachineError as error:
            raise ClusterError(str(error)) from error
        except RefusedError as error:
            log = self._place.log(parts.API_SERVER)
            raise ClusterError(
                f"the API server refused what its own start needs: {error}; see {log}"
            ) from error
        say(f"cluster answers at {api.server}; pods are simulated, ready after {delay:g} s")

    def _servers(self) -> Api:
        etcd_port = ensure_listening(
            self._place,
            parts.ETCD,
            lambda port: parts.etcd(self._tools, self._home / "etcd", port),
            lambda port: http_status(port, "/health") == 200,
            home=self._home,
        )
        api_port = ensure_listening(
            self._place,
            parts.API_SERVER,
            lambda port: parts.api_server(self._tools, self._files, port, etcd_port),
            lambda port: self._api(port).ready(),
            reads=[self._files.tokens, self._files.audit_policy],
            home=self._home,
        )
        return self._api(api_port)

    def _objects(self, api: Api) -> None:
        for collection, file in (
            ("/apis/storage.k8s.io/v1/storageclasses", "storage-class.yaml"),
            ("/api/v1/nodes", "node.yaml"),
        ):
            wanted = _setting(file)
            if api.get(f"{collection}/{wanted['metadata']['name']}") is None:
                api.create(collection, wanted)

    def _controllers(self, api: Api) -> None:
        name = parts.CONTROLLER_MANAGER
        config = self._written(f"{name}.kubeconfig", self._kubeconfig(api, identities.CONTROLLER_MANAGER))
        argv = parts.controller_manager(self._tools, self._files, config, self._home / "plugins")
        ensure(self._place, name, argv, reads=[config], home=self._home)

    def _scheduler(self, api: Api) -> None:
        name = parts.SCHEDULER
        config = self._written(f"{name}.kubeconfig", self._kubeconfig(api, identities.SCHEDULER))
        settings = _setting("scheduler.yaml")
        settings["clientConnection"]["kubeconfig"] = str(config)
        configuration = self._written("scheduler.yaml", yaml.safe_dump(settings))
        argv = parts.scheduler(self._tools, configuration)
        ensure(self._place, name, argv, reads=[config, configuration], home=self._home)

    def _kwok(self, api: Api, delay: float) -> None:
        name = parts.KWOK
        config = self._written(f"{name}.kubeconfig", self._kubeconfig(api, identities.KWOK))
        configuration = self._written("kwok.yaml", stages.configuration(self._tools.kwok_stages, delay))
        argv = parts.kwok(self._tools, config, configuration, _node())
        ensure(self._place, name, argv, reads=[config, configuration], home=self._home)

    def _await_usable(self, api: Api) -> None:
        """Wait for what shows that the clients work: pods need a service account and a ready node."""
        accounts = "/api/v1/namespaces/default/serviceaccounts/default"
        node = f"/api/v1/nodes/{_node()}"
        for name, works in (
            (parts.CONTROLLER_MANAGER, lambda: api.get(accounts) is not None),
            (parts.KWOK, lambda: _takes_pods(api.get(node))),
        ):
            until(self._place, name, works, seconds=SECONDS)

    def _written(self, name: str, text: str) -> Path:
        path = self._home / name
        write_private(path, text)
        return path

    def _kubeconfig(self, api: Api, identity: Identity) -> str:
        cluster = kubeconfig.trusting(api.server, self._ca.read_bytes())
        return kubeconfig.with_token(CONTEXT, cluster, self._tokens[identity])

    def _api(self, port: int) -> Api:
        # The server makes its certificate at its first start and keeps no key of who signed it; the
        # file holds the signer's certificate too, and that is what clients trust.
        return Api(f"https://127.0.0.1:{port}", self._ca, self._tokens[identities.STARTER])

    @property
    def _ca(self) -> Path:
        return self._files.certificates / "apiserver.crt"


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


def _node() -> str:
    return str(_setting("node.yaml")["metadata"]["name"])


def _setting(file: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((_SETTINGS / file).read_text())
    return content
