"""A PostgreSQL server as Cloud SQL sets it up, and one that is none.

TLS only, a CA of its own whose certificate names no address, and a user whose password the server takes in
clear text, because it is an access token.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from dev.machine import postgres_home
from tests.certificates import Authority
from tests.postgres_server import Server

AUTHORITY = Authority()
ACCOUNT = "urumi-provision@project.iam"


def serve_tls(server: Server, common_name: str, *names: str) -> None:
    """Show a new certificate from now on, and let the account in over TLS alone."""
    data = Path(server.run("SHOW data_directory")[0][0])
    made = AUTHORITY.server(common_name, *names)
    for name, content in (("server.crt", made.pem), ("server.key", made.key)):
        file = data / name
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text(content)
        postgres_home.give(file)
    hba = data / "pg_hba.conf"
    rules = (f'hostssl all "{ACCOUNT}" 127.0.0.1/32 password', f'host all "{ACCOUNT}" 127.0.0.1/32 reject')
    if rules[0] not in hba.read_text():
        hba.write_text("\n".join((*rules, hba.read_text())))
    server.run("ALTER SYSTEM SET ssl = on")
    server.run("SELECT pg_reload_conf()")
    # The reload is the postmaster's, and comes when it comes: connect until the new certificate is shown.
    for _ in range(200):
        if shown(port(server)) == made.pem:
            return
    raise AssertionError("the server goes on with its old certificate")


def port(server: Server) -> int:
    return int(server.run("SHOW port")[0][0])


def shown(port: int) -> str | None:
    """The certificate that the server at this port shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        plain.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")  # SSLRequest
        if plain.recv(1) != b"S":
            return None
        with context.wrap_socket(plain) as secure:
            found = secure.getpeercert(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(found).replace("\r", "") if found else None


class Listener:
    """A server that is none: answers SSLRequest with `answer`, and notes all that it was told."""

    def __init__(self, answer: bytes, authority: Authority, folder: Path) -> None:
        self._answer = answer
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        file = folder / "another.pem"
        made = authority.server("project:instance")
        file.write_text(made.pem + made.key)
        self._context.load_cert_chain(file)
        self.told = b""

    @contextmanager
    def running(self) -> Iterator[int]:
        """On this port."""
        with closing(socket.create_server(("127.0.0.1", 0))) as door:
            thread = threading.Thread(target=self._serve, args=[door])
            thread.start()
            yield door.getsockname()[1]
            thread.join()

    def _serve(self, door: socket.socket) -> None:
        client, _ = door.accept()
        with closing(client):
            self.told += client.recv(8)
            client.sendall(self._answer)
            if self._answer != b"S":
                while more := client.recv(4096):
                    self.told += more
                return
            with suppress(OSError), self._context.wrap_socket(client, server_side=True) as secure:
                while more := secure.recv(4096):
                    self.told += more
