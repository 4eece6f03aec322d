"""Plain requests to the API server with one identity's own credentials, so that refusals can be looked at."""

from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path
from typing import Any

import httpx

Body = dict[str, Any]
PATCH = "application/merge-patch+json"


class Caller:
    """One identity, by its kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        content = json.loads(kubeconfig.read_text())
        cluster = content["clusters"][0]["cluster"]
        trust = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )
        token = content["users"][0]["user"]["token"]
        self._http = httpx.Client(
            base_url=cluster["server"],
            verify=trust,
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
            trust_env=False,
        )

    def ask(self, method: str, path: str, body: Body | None = None, **headers: str) -> httpx.Response:
        """Send one request; a PATCH merges."""
        kind = PATCH if method == "PATCH" else "application/json"
        content = json.dumps(body) if body is not None else None
        sent = {"Content-Type": kind, **headers}
        return self._http.request(method, path, content=content, headers=sent)

    def get(self, path: str) -> Body | None:
        """The object at `path`, without what controllers go on writing into it; None if there is none."""
        answer = self.ask("GET", path)
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        found: Body = answer.json()
        found.pop("status", None)
        for noise in ("resourceVersion", "managedFields", "annotations"):
            found["metadata"].pop(noise, None)
        return found

    def rights(self, namespace: str) -> list[str]:
        """What the API server says that this identity may do there, one line for each resource."""
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        status = self.ask("POST", path, {"spec": {"namespace": namespace}}).json()["status"]
        assert not status["incomplete"]
        verbs: dict[str, set[str]] = {}
        for rule in status["resourceRules"]:
            names = f" {sorted(rule['resourceNames'])}" if rule.get("resourceNames") else ""
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    what = f"{resource}.{group}".rstrip(".") + names
                    verbs.setdefault(what, set()).update(rule["verbs"])
        for rule in status["nonResourceRules"]:
            for url in rule["nonResourceURLs"]:
                verbs.setdefault(url, set()).update(rule["verbs"])
        return [f"{what}: {' '.join(sorted(verbs[what]))}" for what in sorted(verbs)]

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()
