"""The first process of a node's namespaces: makes them fit for containers, then reaps what loses its parent.

`python inside.py PLACE TOOLS`. Whatever is mounted here is seen by nobody outside and ends with this
process, and so do all processes of the node. Standard library only: the folders of the rest are about to be
covered.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

READY = Path("/run/urumi-node-is-ready")
"""Made when all is set up."""

_COVERED = ("/run", "/var/lib", "/var/log")
"""Where runc, iptables, the kubelet and CNI write, as if the machine were theirs."""
_NETWORK = {
    "ipv4/ip_forward": "1",
    "bridge/bridge-nf-call-iptables": "1",
    # Whoever calls a Service that has no pod yet is to be told at once, not once a second.
    "ipv4/icmp_ratelimit": "0",
}
# The kubelet changes these for the whole machine; here it gets copies to change.
_KERNEL = (
    "kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic", "kernel/panic_on_oops",
    "vm/overcommit_memory", "vm/panic_on_oom",
)  # fmt: skip
_PATIENCE = 8.0  # seconds in which containers may end in their own way


def main(place: str, tools: str) -> None:
    """Set up, say so by the file READY, and wait until told to end."""
    _mount("--make-rshared", "/")
    # Opened before their folders may be covered.
    sources = {"/run/place": os.open(place, os.O_PATH), "/run/tools": os.open(tools, os.O_PATH)}
    for folder in _COVERED:
        _mount("-t", "tmpfs", "-o", "mode=755", "urumi", folder)
    for target, source in sources.items():
        Path(target).mkdir()
        _mount("--bind", f"/proc/self/fd/{source}", target)
        os.close(source)
    for number, name in enumerate(_KERNEL):
        kernels, copy = Path("/proc/sys", name), Path(f"/run/setting-{number}")
        copy.write_text(kernels.read_text())
        _mount("--bind", str(copy), str(kernels))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for setting, value in _NETWORK.items():
        Path("/proc/sys/net", setting).write_text(value)
    signal.signal(signal.SIGTERM, _end)
    READY.touch()
    while True:
        try:
            os.wait()
        except ChildProcessError:
            time.sleep(0.1)


def _end(*_: object) -> None:
    """Ask everything else here to end; what does not in time ends with this process."""
    os.kill(-1, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.02)
        except ChildProcessError:
            break
    os._exit(0)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, pass_fds=_descriptors(arguments))


def _descriptors(arguments: tuple[str, ...]) -> list[int]:
    return [int(one.rpartition("/")[2]) for one in arguments if one.startswith("/proc/self/fd/")]


if __name__ == "__main__":
    main(*sys.argv[1:])
