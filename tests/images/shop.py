"""One store of the tests: its volumes, its configuration as the chart mounts it, and its four containers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.images.containers import Answer, Container, Network, ask, until

CHECKOUT = Path(__file__).resolve().parents[2]
HOST = "teapots-k3f9.localhost:8088"
_TMP = "/tmp"  # noqa: S108 - in a container
ADDRESS = f"http://{HOST}"
# What a browser, a shell, SQL, YAML, PHP and the kubelet would each like to understand.
TITLE = '  Töpfe <b>&amp; Co</b> "x" \\ $(id) $(X) {{ x }} \' OR 1=1; %s 🫖 '
EMAIL = "owner+shop@example.com"
PASSWORDS = {
    "admin-password": "adminpasswordadminpasswordadmin1",
    "database-password": "storepasswordstorepasswordstore2",
    "database-root-password": "rootpasswordrootpasswordrootpas3",
    "wordpress-secret": "s" * 64,
}


@dataclass(frozen=True)
class Roots:
    """The built root filesystems."""

    store: Path
    database: Path


class Shop:
    """A store whose pods are made, killed and deleted by a test."""

    def __init__(self, folder: Path, roots: Roots, plugins: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.network = Network()
        self._configure(plugins)
        for name, user in (("content", 33), ("data", 999)):
            self.volume(name, user)
        config, site = self.folder / "config", self.folder / "site"
        self.database = self._container(
            "database",
            roots.database,
            999,
            {
                "/var/lib/mysql": folder / "data",
                "/etc/urumi/config": folder / "database-config",
                "/etc/urumi/credentials": folder / "database-credentials",
                "/run/mysqld": self.scratch("database-run", 999),
                _TMP: self.scratch("database-tmp", 999),
            },
        )
        content = {"/var/www/html/wp-content": folder / "content"}
        resolver = {"/etc/resolv.conf": folder / "resolv.conf"}
        agent_tmp = {_TMP: self.scratch("agent-tmp", 33)}
        # What the web container begins with, alone; as if that were a container of its own.
        self.seed = self._container("seed", roots.store, 33, {**content, **agent_tmp})
        self.seed.command = ["php", "-n", "/usr/local/lib/urumi/seed.php"]
        self.web = self._container(
            "web",
            roots.store,
            33,
            {
                **content,
                **resolver,
                "/etc/urumi/config": config,
                "/etc/urumi/credentials": folder / "web-credentials",
                "/run/apache2": self.scratch("web-run", 33),
                _TMP: self.scratch("web-tmp", 33),
            },
        )
        self.agent = self._container(
            "agent",
            roots.store,
            33,
            {
                **content,
                **resolver,
                **agent_tmp,
                "/etc/urumi/config": config,
                "/etc/urumi/site": site,
                "/etc/urumi/credentials": folder / "agent-credentials",
                "/run/agent": self.scratch("agent-run", 33),
            },
        )
        self.containers = (self.agent, self.web, self.seed, self.database)

    def start(self, *, web: bool = True) -> None:
        """Both pods at once, as Kubernetes does."""
        self.database.start()
        if web:
            self.web.start()
        self.agent.start()

    def up(self) -> None:
        """Start both pods and wait for READY."""
        self.start()
        self.until_ready()

    def delete_pods(self) -> None:
        """By force; volumes stay, scratch folders go."""
        for container in self.containers:
            container.kill()
        for folder in self.folder.glob("*-run"), self.folder.glob("*-tmp"):
            for one in folder:
                for entry in one.iterdir():
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def close(self) -> None:
        for container in self.containers:
            container.kill()
        self.network.close()

    def restart_agent(self) -> None:
        """A new container; what the last one said is gone, so that it cannot be taken for the new one's."""
        self.agent.kill()
        for entry in (self.folder / "agent-run").iterdir():
            entry.unlink()
        self.agent.start()

    def probe(self) -> tuple[int, str]:
        """What the kubelet gets from the agent's probe: its exit status and what it prints."""
        done = self.agent.execute("/usr/local/bin/urumi-agent", "ready")
        return done.returncode, done.stdout

    @property
    def ready(self) -> bool:
        """What the probe would say, without the cost of one."""
        return (self.folder / "agent-run/ready").exists()

    @property
    def status(self) -> str:
        with suppress(FileNotFoundError):
            return (self.folder / "agent-run/status").read_text().strip()
        return ""

    def until_ready(self, seconds: float = 120) -> None:
        try:
            until("the shop is ready", lambda: self.ready, seconds)
        except AssertionError as error:
            logs = "\n".join(f"--- {one.name}\n{one.output()[-3000:]}" for one in self.containers)
            raise AssertionError(f"{error}\nnow: {self.status}\n{logs}") from None

    def until_status(self, text: str, seconds: float = 120) -> None:
        until(f"the agent says {text!r}", lambda: text in self.status, seconds)

    def until_database_answers(self) -> None:
        """Wait until the store's user can log in over TCP."""
        until("the database answers", self.database_answers, pause=0.1)

    def database_answers(self, password: str = PASSWORDS["database-password"]) -> bool:
        done = self.database.execute(
            *("mariadb", "--host=127.0.0.1", "--user=wordpress", f"--password={password}"),
            *("wordpress", "--execute=SELECT 1"),
        )
        return done.returncode == 0

    def ask(self, path: str, *, host: str = HOST, **more: object) -> Answer:
        return ask(self.network, path, host=host, **more)  # type: ignore[arg-type]

    def log_in(self, user: str = "admin", password: str = PASSWORDS["admin-password"]) -> str:
        """A session's cookies by the login form; empty if it does not let the user in."""
        answer = self.ask("/wp-login.php", form={"log": user, "pwd": password})
        cookies = [one.partition(";")[0] for one in answer.cookies]
        return "; ".join(cookies) if any(one.startswith("wordpress_logged_in") for one in cookies) else ""

    def cached_scripts(self) -> set[str]:
        """The scripts in the web server's OPcache, below core's folder."""
        script = self.folder / "content/cached.php"
        script.write_text("<?php echo json_encode(array_keys(opcache_get_status()['scripts']));")
        found = json.loads(self.ask("/wp-content/cached.php").body)
        script.unlink()
        return {one.removeprefix("/var/www/html/") for one in found}

    def sql(self, statement: str, database: str = "wordpress") -> list[str]:
        """The rows that a statement gives as the server's root, columns between tabs."""
        done = self.database.execute(
            *("mariadb", "--socket=/run/mysqld/mysqld.sock", "--user=root", "--batch", "--skip-column-names"),
            f"--password={PASSWORDS['database-root-password']}",
            *("--default-character-set=utf8mb4", database, f"--execute={statement}"),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def php(self, code: str) -> str:
        """What PHP code prints in the store's WordPress, as the owner's plugins would run it."""
        script = self.folder / "agent-tmp" / "script.php"
        script.write_text(f"<?php require '/var/www/html/wp-load.php'; {code}")
        done = self.agent.execute("php", f"{_TMP}/script.php")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def volume(self, name: str, user: int) -> Path:
        """An empty volume, as fsGroup leaves it."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.chown(folder, user, user)
        return folder

    def scratch(self, name: str, user: int) -> Path:
        folder = self.folder / name
        folder.mkdir()
        shutil.chown(folder, user, user)
        return folder

    def take(self, volumes: Path) -> None:
        """Copies of another shop's volumes in place of its own."""
        for name in ("content", "data"):
            shutil.rmtree(self.folder / name)
            _copy(volumes / name, self.folder / name)

    def give(self, volumes: Path) -> None:
        """Copy its volumes as they are at one moment, as a snapshot of the disk would."""
        server = self.database.first_process()
        assert server is not None
        os.kill(server, signal.SIGSTOP)
        try:
            for name in ("content", "data"):
                _copy(self.folder / name, volumes / name)
        finally:
            os.kill(server, signal.SIGCONT)

    def write_plugins(self, names: tuple[str, ...]) -> None:
        (self.folder / "site" / "plugins").write_text("\n".join(names))

    def _configure(self, plugins: tuple[str, ...]) -> None:
        names = {"database-name": "wordpress", "database-user": "wordpress"}
        files = {
            "config": {
                **names,
                "address": ADDRESS,
                "database-host": "127.0.0.1",
                "accessible-hosts": "",
                "redirects": "",
                "notice": "",
            },
            "database-config": {**names, "mariadb.cnf": _server_settings()},
            "site": {"title": TITLE, "admin-email": EMAIL},
            "web-credentials": _some("database-password", "wordpress-secret"),
            "agent-credentials": _some("admin-password", "database-password", "wordpress-secret"),
            "database-credentials": _some("database-password", "database-root-password"),
        }
        for folder, contents in files.items():
            (self.folder / folder).mkdir()
            for name, content in contents.items():
                (self.folder / folder / name).write_text(content)
        self.write_plugins(plugins)
        # A name server that the network policy would let through, and that is away.
        (self.folder / "resolv.conf").write_text(
            "nameserver 198.51.100.53\noptions ndots:1 timeout:1 attempts:2\n"
        )

    def _container(self, name: str, root: Path, user: int, mounts: dict[str, Path]) -> Container:
        return Container(
            name=name,
            root=root,
            user=user,
            network=self.network,
            log=self.folder / f"{name}.log",
            command=[f"/usr/local/bin/urumi-{name}"],
            mounts=mounts,
            read_only=[path for path in mounts if path.startswith("/etc/")],
        )


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--archive", "--sparse=always", str(source), str(target)], check=True)


def _some(*names: str) -> dict[str, str]:
    return {name: PASSWORDS[name] for name in names}


def _server_settings() -> str:
    """The settings that the chart mounts."""
    text = (CHECKOUT / "chart/templates/database/config-map.yaml").read_text()
    plain = "\n".join(line for line in text.splitlines() if "{{" not in line)
    settings: str = yaml.safe_load(plain)["data"]["mariadb.cnf"]
    return settings


def _hide(archive: Path, layer: str, root: Path) -> None:
    """Empty the folders whose lower layers this layer hides, as a runtime does."""
    with tarfile.open(archive) as image, tarfile.open(fileobj=image.extractfile(layer)) as members:
        for name in members.getnames():
            if Path(name).name == ".wh..wh..opq":
                shutil.rmtree(root / Path(name).parent)


def unpack(archive: Path, layers: list[str], root: Path) -> None:
    """A root filesystem from an OCI archive's layers."""
    root.mkdir()
    for layer in layers:
        _hide(archive, layer, root)
        with subprocess.Popen(["tar", "-xOf", str(archive), layer], stdout=subprocess.PIPE) as source:
            subprocess.run(
                ["tar", "-x", "-C", str(root), "--same-owner", "--numeric-owner"],
                stdin=source.stdout,
                check=True,
            )
