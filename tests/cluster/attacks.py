"""What a stolen identity would try.

Paths and bodies name namespaces: `{store}` is a READY store's, `{fresh}` a store's that provision has no
access to yet, `{bare}` has a store's name and no labels, `{mislabelled}` another store's label, `{odd}` is
named store-WORD, `{other}` is no store's. `{id}` and `{other_id}` are ids that nobody has.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]

NAMESPACES = "/api/v1/namespaces"
STORE = f"{NAMESPACES}/{{store}}"
OTHER = f"{NAMESPACES}/{{other}}"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
APPS = "/apis/apps/v1/namespaces/{store}"
NETWORK = "/apis/networking.k8s.io/v1/namespaces/{store}"
NO_RIGHT = "cannot"
PSS = "pod-security.kubernetes.io"


@dataclass(frozen=True)
class Attack:
    """One request that must be refused, and by what: the authorizer, or the policy of that name."""

    what: str
    who: str
    method: str
    path: str
    body: Body | None = None  # of a PUT: what changes in the object's metadata
    by: str = NO_RIGHT
    headers: dict[str, str] = field(default_factory=dict)
    target: str = ""  # what must be as before; by default what is asked for, or would be made

    @property
    def touched(self) -> str:
        """The path of the object that must be as before."""
        if self.target or self.method != "POST" or not self.body:
            return self.target or self.path
        return f"{self.path}/{self.body['metadata']['name']}"


def labels(**changes: str | None) -> Body:
    """A store's labels, some of them changed or, with None, left out."""
    good: dict[str, str | None] = {"urumi.dev/store": "{id}", "urumi.dev/customer": "{id}"}
    for mode in ("enforce", "warn", "audit"):
        good |= {f"{PSS}/{mode}": "restricted", f"{PSS}/{mode}-version": "v1.36"}
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def _namespace(name: str, made: Body) -> Body:
    return {"metadata": {"name": name, "labels": made}}


def namespaces() -> Iterator[Attack]:
    """Namespaces that are no store's, or not shut in."""

    def create(what: str, name: str, made: Body) -> Attack:
        body = _namespace(name, made)
        return Attack(what, "provision", "POST", NAMESPACES, body, "urumi-namespaces")

    yield create("a namespace of the platform", "kube-foo", labels())
    yield create("a store of any name", "store-shop", labels(**{"urumi.dev/store": "shop"}))
    yield create("a longer name", "store-{id}0", labels(**{"urumi.dev/store": "{id}0"}))
    yield create("a store's namespace without labels", "store-{id}", {})
    yield create("another store's label", "store-{id}", labels(**{"urumi.dev/store": "{other_id}"}))
    yield create("nobody's namespace", "store-{id}", labels(**{"urumi.dev/customer": None}))
    yield create("a customer of any name", "store-{id}", labels(**{"urumi.dev/customer": "me"}))
    for mode in ("enforce", "warn", "audit"):
        for value in ("baseline", "privileged", None):
            said = labels(**{f"{PSS}/{mode}": value})
            yield create(f"Pod Security {mode} {value}", "store-{id}", said)
        for value in ("latest", "v1.24", None):
            said = labels(**{f"{PSS}/{mode}-version": value})
            yield create(f"Pod Security {mode} at version {value}", "store-{id}", said)

    def change(what: str, **changed: Any) -> Attack:
        return Attack(what, "provision", "PUT", STORE, changed, "urumi-namespaces")

    for mode in ("enforce", "warn", "audit"):
        for value in ("privileged", None):
            yield change(f"{mode} loosened to {value}", labels={f"{PSS}/{mode}": value})
        for value in ("latest", None):
            yield change(f"{mode}'s version to {value}", labels={f"{PSS}/{mode}-version": value})
    for key in ("store", "customer"):
        yield change(f"the label {key} changed", labels={f"urumi.dev/{key}": "{id}"})
        yield change(f"the label {key} removed", labels={f"urumi.dev/{key}": None})
    yield change("a finalizer", finalizers=["example.com/for-ever"])
    yield Attack(
        "a store's label on others", "provision", "PUT", OTHER, {"labels": {"urumi.dev/store": "{id}"}},
        "urumi-namespaces",
    )  # fmt: skip
    for path in (OTHER, f"{NAMESPACES}/kube-node-lease", f"{NAMESPACES}/{{bare}}"):
        yield Attack(f"removing {path}", "provision", "DELETE", path, by="urumi-namespaces")
    yield Attack("stripping finalizers", "provision", "PUT", f"{STORE}/finalize", {}, target=STORE)
    yield Attack("all namespaces", "provision", "GET", NAMESPACES)
    yield Attack("a namespace's status", "provision", "PUT", f"{STORE}/status", {}, target=STORE)


ITSELF = {"kind": "ServiceAccount", "name": "provision", "namespace": "urumi-system"}


def binding(name: str = "trial", role: str = "urumi-store", kind: str = "ClusterRole", *who: Body) -> Body:
    """A RoleBinding; for provision itself unless said otherwise."""
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": list(who) or [ITSELF],
    }


def access() -> Iterator[Attack]:
    """Rights for oneself or for others."""

    def bind(what: str, body: Body, namespace: str = "{fresh}", by: str = "urumi-access") -> Attack:
        path = f"{RBAC}/namespaces/{namespace}/rolebindings"
        return Attack(what, "provision", "POST", path, body, by)

    mine = "provision"
    yield bind("access to the platform's Secrets", binding(mine), "kube-system")
    for namespace in ("{other}", "{odd}", "{mislabelled}"):
        yield bind(f"access to {namespace}", binding(mine), namespace)
    yield bind("a second binding", binding("provision-2"))
    yield bind("a role it has anyway", binding(mine, "system:basic-user"))
    yield bind("a Role of the same name", binding(mine, "urumi-store", "Role"))
    yield bind("a greater role", binding(mine, "cluster-admin"), by="attempting to grant")
    yield bind("no subject at all", {**binding(mine), "subjects": []})
    group = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:authenticated"}
    user = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "provision"}
    for what, who in (
        ("for reconcile", [{**ITSELF, "name": "reconcile"}]),
        ("for a namesake elsewhere", [{**ITSELF, "namespace": "{other}"}]),
        ("for a user of its name", [user]),
        ("for everybody", [group]),
        ("for somebody more", [ITSELF, group]),
    ):
        yield bind(what, binding(mine, "urumi-store", "ClusterRole", *who))
    yield Attack(
        "everything", "provision", "POST", f"{RBAC}/clusterrolebindings", binding(role="cluster-admin")
    )
    yield Attack("its role everywhere", "provision", "POST", f"{RBAC}/clusterrolebindings", binding())
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    role = {"metadata": {"name": "trial"}, "rules": rules}
    yield Attack("a new role", "provision", "POST", f"{RBAC}/clusterroles", role)
    yield Attack("a role in a store", "provision", "POST", f"{RBAC}/namespaces/{{store}}/roles", role)
    own = f"{RBAC}/clusterroles/urumi-store"
    yield Attack("more in its own role", "provision", "PATCH", own, {"rules": rules})
    token: Body = {"spec": {"expirationSeconds": 3600}}
    for path in ("urumi-system/serviceaccounts/operator", "{store}/serviceaccounts/storefront"):
        at = f"{NAMESPACES}/{path}"
        yield Attack(f"a token of {path}", "provision", "POST", f"{at}/token", token, target=at)
    for header, value in (("User", "admin"), ("Group", "system:masters")):
        said = {"Impersonate-User": "admin"} | {f"Impersonate-{header}": value}
        yield Attack(f"being {value}", "provision", "GET", f"{NAMESPACES}/default", headers=said)


def platform() -> Iterator[Attack]:
    """The walls themselves, and what belongs to the whole cluster."""
    for kind in ("validatingadmissionpolicies", "validatingadmissionpolicybindings"):
        for name in ("urumi-namespaces", "urumi-access"):
            path = f"{ADMISSION}/{kind}/{name}"
            yield Attack(f"removing {kind}/{name}", "provision", "DELETE", path)
            yield Attack(
                f"changing {kind}/{name}", "provision", "PATCH", path, {"metadata": {"labels": {"a": "b"}}}
            )
    webhook = {"metadata": {"name": "trial"}, "webhooks": []}
    for kind in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
        yield Attack(f"{kind}", "provision", "POST", f"{ADMISSION}/{kind}", webhook)
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    yield Attack("a new kind", "provision", "POST", crds, {"metadata": {"name": "trials.example.com"}})
    csrs = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    yield Attack("a certificate", "provision", "POST", csrs, {"metadata": {"name": "trial"}})
    volume = {"metadata": {"name": "trial"}, "spec": {}}
    yield Attack("a volume", "provision", "POST", "/api/v1/persistentvolumes", volume)
    node = "/api/v1/nodes/simulated"
    yield Attack("a node", "provision", "PATCH", node, {"metadata": {"labels": {"a": "b"}}})
    yield Attack("all Secrets", "provision", "GET", "/api/v1/secrets")
    for namespace in ("kube-system", "{other}"):
        yield Attack(f"the Secrets of {namespace}", "provision", "GET", f"{NAMESPACES}/{namespace}/secrets")
    made = {"metadata": {"name": "trial"}}
    yield Attack("anything elsewhere", "provision", "POST", f"{OTHER}/configmaps", made)


POD_SPEC: Body = {
    "automountServiceAccountToken": False,
    "containers": [{"name": "web", "image": "example.com/web:1"}],
}


def _workload(name: str, **pod: Any) -> Body:
    spec = {**copy.deepcopy(POD_SPEC), **pod}
    matched = {"app": "trial"}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": matched},
            "template": {"metadata": {"labels": matched}, "spec": spec},
        },
    }


def good_objects() -> Iterator[tuple[str, Body]]:
    """Collection and object of what provision may make: the attacks below with nothing wrong in them."""
    at = {"metadata": {"name": "trial"}}
    yield f"{STORE}/services", {**at, "spec": {"ports": [{"port": 80}]}}
    yield f"{STORE}/secrets", {**at, "type": "Opaque"}
    yield f"{STORE}/serviceaccounts", {**at, "automountServiceAccountToken": False}
    yield f"{APPS}/deployments", _workload("trial")
    yield f"{APPS}/statefulsets", _workload("trial")
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    yield f"{STORE}/persistentvolumeclaims", {**at, "spec": claim}
    yield f"{NETWORK}/ingresses", {**at, "spec": {"rules": [{"host": "trial.example.com"}]}}


GOOD = {path.rpartition("/")[2]: (path, body) for path, body in good_objects()}


def objects() -> Iterator[Attack]:
    """What a store's own objects must not be, though provision may make such objects."""

    def make(what: str, kind: str, by: str, **wrong: Any) -> Attack:
        path, good = copy.deepcopy(GOOD[kind])
        for key, value in wrong.items():
            good[key] = {**good[key], **value} if isinstance(good.get(key), dict) else value
        return Attack(what, "provision", "POST", path, good, by)

    for kind in ("NodePort", "LoadBalancer"):
        yield make(f"a {kind}", "services", "urumi-services", spec={"type": kind})
    elsewhere = {"type": "ExternalName", "externalName": "example.com"}
    yield make("an ExternalName", "services", "urumi-services", spec=elsewhere)
    yield make("a borrowed address", "services", "urumi-services", spec={"externalIPs": ["192.0.2.9"]})
    node_port: Body = {"spec": {"type": "NodePort"}}
    front = f"{STORE}/services/storefront"
    yield Attack("a port for the front door", "provision", "PATCH", front, node_port, "urumi-services")

    account = {"annotations": {"kubernetes.io/service-account.name": "default"}}
    kinds = {"type": "kubernetes.io/service-account-token", "metadata": account}
    yield make("a token that never ends", "secrets", "urumi-secrets", **kinds)
    yield make("a node's entry token", "secrets", "urumi-secrets", type="bootstrap.kubernetes.io/token")
    credentials = f"{STORE}/secrets/store-credentials-1"
    yield Attack("removing passwords", "provision", "DELETE", credentials, by="urumi-secrets")
    more: Body = {"metadata": {"labels": {"a": "b"}}}
    yield Attack("changing passwords", "provision", "PUT", credentials, more["metadata"], "urumi-secrets")

    yield make(
        "an account with a token", "serviceaccounts", "urumi-accounts", automountServiceAccountToken=True
    )
    cloud = {"annotations": {"iam.gke.io/gcp-service-account": "admin@shops.iam.example"}}
    yield make("an account in the cloud", "serviceaccounts", "urumi-accounts", metadata=cloud)

    for kind in ("deployments", "statefulsets"):
        for what, pod in (
            ("with a token", {"automountServiceAccountToken": True}),
            ("before others", {"priorityClassName": "system-cluster-critical"}),
            ("on a node of its choice", {"nodeName": "simulated"}),
            ("on a node kept for others", {"tolerations": [{"operator": "Exists"}]}),
        ):
            spec = _workload("trial", **pod)["spec"]
            yield make(f"{kind} {what}", kind, "urumi-workloads", spec=spec)

    claims = "persistentvolumeclaims"
    yield make("another's volume", claims, "urumi-claims", spec={"volumeName": "pv-1"})
    source = {"kind": "PersistentVolumeClaim", "name": "database-data"}
    yield make("a copy of a volume", claims, "urumi-claims", spec={"dataSource": source})
    yield Attack("removing data", "provision", "DELETE", f"{STORE}/{claims}/database-data")

    snippet = {"annotations": {"nginx.ingress.kubernetes.io/server-snippet": "return 200;"}}
    yield make("code for the front door", "ingresses", "urumi-ingresses", metadata=snippet)
    for host in ("*.example.com", ""):
        rule = {"rules": [{"host": host}]}
        yield make(f"visitors of {host or 'all hosts'}", "ingresses", "urumi-ingresses", spec=rule)
    backend = {"defaultBackend": {"service": {"name": "storefront", "port": {"number": 80}}}}
    yield make("visitors of no host", "ingresses", "urumi-ingresses", spec=backend)
    yield Attack("removing all records", "provision", "DELETE", f"{STORE}/secrets", target=credentials)


def pods(who: str) -> Iterator[Attack]:
    """Into the pods."""
    pod = f"{STORE}/pods/database-0"
    made = {"metadata": {"name": "trial"}, "spec": POD_SPEC}
    yield Attack("a pod", who, "POST", f"{STORE}/pods", made)
    for way in ("exec", "attach", "portforward", "proxy"):
        for method in ("GET", "POST"):
            yield Attack(f"{method} {way}", who, method, f"{pod}/{way}?command=id", target=pod)
    yield Attack("a debugger", who, "PATCH", f"{pod}/ephemeralcontainers", {"spec": {}}, target=pod)
    yield Attack("a pod's log", who, "GET", f"{pod}/log", target=pod)
    yield Attack("an end", who, "DELETE", pod)
    eviction = {"metadata": {"name": "database-0"}}
    yield Attack("an eviction", who, "POST", f"{pod}/eviction", eviction, target=pod)


def readers() -> Iterator[Attack]:
    """Reconcile and the operator only look."""
    for who in ("reconcile", "operator"):
        yield from pods(who)
        yield Attack("a namespace", who, "POST", NAMESPACES, _namespace("store-{id}", labels()))
        yield Attack("removing a store", who, "DELETE", STORE)
        yield Attack("a label", who, "PATCH", STORE, {"metadata": {"labels": {"a": "b"}}})
        for kind in ("deployments/storefront", "statefulsets/database"):
            yield Attack(f"scaling {kind}", who, "PATCH", f"{APPS}/{kind}", {"spec": {"replicas": 0}})
            yield Attack(f"removing {kind}", who, "DELETE", f"{APPS}/{kind}")
        for path, body in GOOD.values():
            yield Attack(f"making in {path}", who, "POST", path, body)
        yield Attack("removing passwords", who, "DELETE", f"{STORE}/secrets/store-credentials-1")
        bindings = f"{RBAC}/namespaces/{{store}}/rolebindings"
        yield Attack("access", who, "POST", bindings, binding())
        yield Attack("everything", who, "POST", f"{RBAC}/clusterrolebindings", binding())
        said = {"Impersonate-User": "system:serviceaccount:urumi-system:provision"}
        yield Attack("being provision", who, "GET", f"{NAMESPACES}/default", headers=said)
        account = f"{NAMESPACES}/urumi-system/serviceaccounts/provision"
        yield Attack("provision's token", who, "POST", f"{account}/token", {"spec": {}}, target=account)
        policy = f"{ADMISSION}/validatingadmissionpolicies/urumi-namespaces"
        yield Attack("removing a policy", who, "DELETE", policy)
    for path in ("/api/v1/secrets", f"{STORE}/secrets", f"{OTHER}/secrets"):
        yield Attack(f"{path}", "reconcile", "GET", path)
    yield Attack("passwords", "reconcile", "GET", f"{STORE}/secrets/store-credentials-1")
    yield Attack("settings", "reconcile", "GET", f"{STORE}/configmaps")


ATTACKS = (*namespaces(), *access(), *platform(), *objects(), *pods("provision"), *readers())
