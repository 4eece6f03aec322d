"""Whether a cluster answers that we reach by somebody else's kubeconfig, with whatever login it asks for."""

from __future__ import annotations

import time
from pathlib import Path


def answers(kubeconfig: Path, *, patience: float) -> bool:
    """Whether the API server tells its version, asked again for `patience` seconds."""
    from kubernetes import client, config  # noqa: PLC0415 - half a second, and not every provider needs it

    deadline = time.monotonic() + patience
    while True:
        try:
            api = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
            client.VersionApi(api).get_code(_request_timeout=5)
        except Exception:  # noqa: BLE001 - logins of all kinds are plugged in here, each with errors of its own
            if time.monotonic() >= deadline:
                return False
            time.sleep(1)
        else:
            return True
