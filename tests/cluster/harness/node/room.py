"""What a node needs around it, made in namespaces that are its own already: mounts, kernel settings, network.

Called by `inside` once, before the first process of the cluster. Everything goes with the namespaces: whatever kubelet,
containerd and kube-proxy write to /run, /var/lib, /var/log, and to settings of the kernel that are the whole machine's,
never reaches the machine.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from . import places

_SETTINGS = {  # kubelet sets these where they differ, for the whole machine; here it finds them as it wants them
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
_NETWORK = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}
_HIDDEN = ("/run", "/var/lib", "/var/log")


class Refused(Exception):
    """The node cannot be where it shall be; the text says why."""


def furnish(folder: Path) -> None:
    """Mount what is the node's own; `folder` is on a real disk and keeps the large things."""
    for hidden in _HIDDEN:
        if folder.is_relative_to(os.path.realpath(hidden)):
            raise Refused(f"{folder} lies in {hidden}, which a node has as its own; set XDG_CACHE_HOME or TMPDIR")
    _run("mount", "--make-rprivate", "/")
    _run("mount", "--make-rshared", "/")  # among the node's own: volumes that a pod mounts reach others
    for hidden in _HIDDEN:
        _run("mount", "-t", "tmpfs", "-o", "mode=755", "speedscale-node", os.path.realpath(hidden))
    for made in ("/run/netns", "/run/lock", "/var/lib/kubelet", "/var/lib/cni", "/var/log/pods"):
        Path(made).mkdir(parents=True, exist_ok=True)
    for own, place in (("kubelet", "/var/lib/kubelet"), ("logs", "/var/log/pods")):
        (folder / own).mkdir(exist_ok=True)
        _run("mount", "--bind", str(folder / own), place)
    (folder / "settings").mkdir(exist_ok=True)
    for setting, value in _SETTINGS.items():
        if Path("/proc/sys", setting).exists():
            file = folder / "settings" / setting.replace("/", ".")
            file.write_text(value + "\n", encoding="ascii")
            _run("mount", "--bind", str(file), f"/proc/sys/{setting}")
    names = folder / "resolv.conf"
    names.write_text(f"nameserver {places.DNS_IP}\n", encoding="ascii")
    if os.path.exists("/etc/resolv.conf"):
        _run("mount", "--bind", str(names), "/etc/resolv.conf")
    _run("hostname", places.NAME)


def connect() -> subprocess.Popen[bytes]:
    """Make the node's network and the one outside; return the process that holds the latter."""
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo made; exec sleep infinity"], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    if holder.stdout.readline() != b"made\n":
        raise Refused("no second network namespace could be made")
    outside = str(holder.pid)
    _ip("link", "set", "lo", "up")
    _ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", outside)
    _ip("addr", "add", f"{places.NODE_IP}/{places.LINK_BITS}", "dev", "eth0")
    _ip("link", "set", "eth0", "up")
    _ip("route", "add", "default", "via", places.GATEWAY_IP)
    for arguments in (
        ("link", "set", "lo", "up"),
        ("addr", "add", f"{places.GATEWAY_IP}/{places.LINK_BITS}", "dev", "eth0"),
        ("addr", "add", f"{places.OUTSIDE_IP}/32", "dev", "lo"),
        ("link", "set", "eth0", "up"),
    ):
        _run("nsenter", f"--net=/proc/{outside}/ns/net", "ip", *arguments)
    for setting, value in _NETWORK.items():
        file = Path("/proc/sys", setting)
        if file.exists():
            file.write_text(value, encoding="ascii")
    return holder


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
