"""A credential plugin for Kubernetes clients on Google Cloud: `python -m control_plane.google_credentials`.

Prints an ExecCredential of client.authentication.k8s.io/v1 with an access token of the service account that
this runs as. The Python client and Helm start it, as their kubeconfig says (adapters/google_cell.py).
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from control_plane.adapters.google_token import NoTokenError, fetch

# The second one makes GKE know the account by its e-mail address; by its number otherwise.
SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
)


def main() -> int:
    """The command line."""
    try:
        token = fetch(SCOPES)
    except NoTokenError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    ends = datetime.fromtimestamp(token.ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": token.value, "expirationTimestamp": ends},
    }
    sys.stdout.write(json.dumps(credential))
    return 0


if __name__ == "__main__":
    sys.exit(main())
