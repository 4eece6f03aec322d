"""One store of the tests: its volumes, its configuration as the chart mounts it, and its four containers."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.images.containers import Answer, Container, Network, ask, until

CHECKOUT = Path(__file__).resolve().parents[2]
HOST = "teapots-k3f9.localhost:8088"
_TMP = "/tmp"  # noqa: S108 - in a container
ADDRESS = f"http://{HOST}"
# What a browser, a shell, SQL, YAML and PHP would each like to understand.
TITLE = "Töpfe <b>&amp; Co</b> \\ $(id) {{ x }} ' OR 1=1; 🫖"
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
        self.network.open_low_ports()
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
        agent_tmp = {_TMP: self.scratch("agent-tmp", 33)}
        self.seed = self._container("seed", roots.store, 33, {**content, **agent_tmp})
        self.web = self._container(
            "web",
            roots.store,
            33,
            {
                **content,
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
                **agent_tmp,
                "/etc/urumi/config": config,
                "/etc/urumi/site": site,
                "/etc/urumi/credentials": folder / "agent-credentials",
                "/run/urumi": self.scratch("agent-run", 33),
            },
        )
        self.containers = (self.agent, self.web, self.seed, self.database)

    def start(self) -> None:
        """Both pods at once, as Kubernetes does: the seed runs before web and agent."""
        self.database.start()
        assert self.seed.run() == 0, self.seed.output()
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

    @property
    def ready(self) -> bool:
        return self.agent.execute("/usr/local/bin/urumi-agent", "ready").returncode == 0

    @property
    def status(self) -> str:
        return self.agent.execute("/usr/local/bin/urumi-agent", "ready").stdout.strip()

    def until_ready(self, seconds: float = 120) -> None:
        try:
            until("the shop is ready", lambda: self.ready, seconds)
        except AssertionError as error:
            logs = "\n".join(f"--- {one.name}\n{one.output()[-3000:]}" for one in self.containers)
            raise AssertionError(f"{error}\nnow: {self.status}\n{logs}") from None

    def until_status(self, text: str, seconds: float = 120) -> None:
        until(f"the agent says {text!r}", lambda: text in self.status, seconds)

    def ask(self, path: str, *, host: str = HOST, **more: object) -> Answer:
        return ask(self.network, path, host=host, **more)  # type: ignore[arg-type]

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

    def write_plugins(self, names: tuple[str, ...]) -> None:
        (self.folder / "site" / "plugins").write_text("\n".join(names))

    def _configure(self, plugins: tuple[str, ...]) -> None:
        names = {"database-name": "wordpress", "database-user": "wordpress"}
        files = {
            "config": {**names, "address": ADDRESS, "database-host": "127.0.0.1", "accessible-hosts": ""},
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

    def _container(self, name: str, root: Path, user: int, mounts: dict[str, Path]) -> Container:
        return Container(
            name=name,
            root=root,
            user=user,
            network=self.network,
            log=self.folder / f"{name}.log",
            command=[f"/usr/local/bin/urumi-{name}"],
            mounts=mounts,
            read_only=[path for path in mounts if path.startswith("/etc/urumi")],
        )


def _some(*names: str) -> dict[str, str]:
    return {name: PASSWORDS[name] for name in names}


def _server_settings() -> str:
    """The settings that the chart mounts. Less than a whole store's memory, because many run side by side."""
    text = (CHECKOUT / "chart/templates/database/config-map.yaml").read_text()
    plain = "\n".join(line for line in text.splitlines() if "{{" not in line)
    settings: str = yaml.safe_load(plain)["data"]["mariadb.cnf"]
    return settings


def unpack(archive: Path, layers: list[str], root: Path) -> None:
    """A root filesystem from an OCI archive's layers."""
    root.mkdir()
    for layer in layers:
        with subprocess.Popen(["tar", "-xOf", str(archive), layer], stdout=subprocess.PIPE) as source:
            subprocess.run(
                ["tar", "-x", "-C", str(root), "--same-owner", "--numeric-owner"],
                stdin=source.stdout,
                check=True,
            )
