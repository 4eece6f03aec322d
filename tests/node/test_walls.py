"""What a store's containers are, seen from inside."""

from __future__ import annotations

import socket

import pytest

from tests.node.shops import Shop

CONTAINERS = {"web": 33, "agent": 33, "database": 999}
NO_CAPABILITIES = "0000000000000000"


@pytest.fixture(params=CONTAINERS)
def container(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_its_user_has_no_capability_and_can_gain_none(shop: Shop, container: str):
    status = dict(
        line.split(":\t", 1)
        for line in shop.run(container, "cat", "/proc/1/status").output.splitlines()
        if ":\t" in line
    )
    user = str(CONTAINERS[container])
    assert status["Uid"].split() == status["Gid"].split() == [user] * 4
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {NO_CAPABILITIES}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_its_root_cannot_be_written_but_for_its_volumes(shop: Shop, container: str):
    writable = {"web": "/var/www/html/wp-content /tmp /run/apache2", "agent": "/run/agent /tmp"}
    for folder in writable.get(container, "/var/lib/mysql /tmp /run/mysqld").split():
        assert shop.run(container, "sh", "-c", f"echo > {folder}/.proof && rm {folder}/.proof").code == 0, (
            folder
        )
    for folder in ("/", "/usr/local/bin", "/etc", "/etc/urumi/credentials", "/var/www/html", "/root", "/var"):
        answer = shop.run(container, "sh", "-c", f"[ -d {folder} ] || exit 9; echo > {folder}/proof")
        assert answer.code != 0, folder


def test_it_has_no_token_and_no_way_to_the_api_server_this_machine_or_the_world(shop: Shop, container: str):
    assert shop.run(container, "ls", "/var/run/secrets/kubernetes.io").code != 0
    server = shop.world.cluster.get("/api/v1/namespaces/default/endpoints/kubernetes")
    assert server is not None
    (subset,) = server["subsets"]
    machine, api = subset["addresses"][0]["ip"], subset["ports"][0]["port"]
    with socket.create_server((machine, 0)) as somebody:
        port = somebody.getsockname()[1]
        socket.create_connection((machine, port), timeout=3).close()  # it is there, for whoever may
        service = "$KUBERNETES_SERVICE_HOST/$KUBERNETES_SERVICE_PORT"
        for address in (service, f"{machine}/{api}", f"{machine}/{port}", "192.0.2.1/80"):
            assert not _opens(shop, container, address), address
    assert _opens(shop, container, _database(shop))  # what is open is seen to be


def test_nothing_in_its_environment_is_a_secret_or_a_service(shop: Shop, container: str):
    names = {line.partition("=")[0] for line in shop.run(container, "env").output.split()}
    # The API server's address is given to every pod; that it leads nowhere is tested above.
    others = {name for name in names if not name.startswith("KUBERNETES_")}
    assert others <= {"PATH", "HOSTNAME", "HOME", "PWD", "SHLVL", "_"}, others


def test_files_of_the_volumes_have_the_group_of_the_pod(shop: Shop):
    """fsGroup is applied, as on a disk in the cloud: the folders are made by root."""
    for container, folder in (("web", "/var/www/html/wp-content"), ("database", "/var/lib/mysql")):
        told = shop.run(container, "stat", "-c", "%u %g %A", folder).output.split()
        assert told[:2] == ["0", str(CONTAINERS[container])], told
        assert told[2].endswith("rwxrws--x") or "rws" in told[2], told


def test_php_in_uploads_is_never_run(shop: Shop):
    uploads = "/var/www/html/wp-content/uploads"
    assert shop.run("web", "sh", "-c", f"echo '<?php echo 6*7;' >{uploads}/x.php").code == 0
    answer = shop.browser().get("/wp-content/uploads/x.php")
    assert answer.status_code == 403
    assert "42" not in answer.text


def _opens(shop: Shop, container: str, address: str) -> bool:
    """Whether a TCP connection to HOST/PORT comes about from inside."""
    command = f"export A={address}; timeout 3 bash -c '</dev/tcp/$A' && echo open"
    return "open" in shop.run(container, "bash", "-c", command).output


def _database(shop: Shop) -> str:
    address = shop.get("/api/v1", "services/database")["spec"]["clusterIP"]
    return f"{address}/3306"
