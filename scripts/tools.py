"""The programs that test tiers need beside Python, and how to get them.

`make tools` (and CI by itself) installs the Debian packages; everywhere else a tier that misses one says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# program → Debian package
INTEGRATION = {
    "curl": "curl",
    "nginx": "nginx-light",
    "wrk": "wrk",
    "java": "default-jdk-headless",
    "faketime": "faketime",
}
NETWORK = {"ip": "iproute2", "nsenter": "util-linux", "setpriv": "util-linux", "iptables": "iptables"}
CLUSTER = {"redis-server": "redis-server", "git": "git"}
NODE = {  # what runs pods (tests/e2e); containerd of Debian is not started by itself where there is no systemd
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
}
KERNEL = {  # what nettap's capture is built with, and what its small machines are made of
    "clang-14": "clang-14",
    "llvm-strip-14": "llvm-14",
    "bpftool": "bpftool",
    "gcc": "gcc",
    "make": "make",
    "/usr/include/stdio.h": "libc6-dev",
    "dpkg-deb": "dpkg",
    "busybox": "busybox-static",
    "/usr/include/bpf/libbpf.h": "libbpf-dev",
    "/usr/include/gelf.h": "libelf-dev",
    "/usr/include/zlib.h": "zlib1g-dev",
    "/usr/include/Zydis/Zydis.h": "libzydis-dev",
}
E2E = {  # what its tests run, and what images are built with: the demo's, nettap's
    **CLUSTER,
    **KERNEL,
    "busybox": "busybox-static",
    "curl": "curl",
    "wrk": "wrk",
    "javac": "default-jdk-headless",
}
KERNEL_TESTS = {  # whose traffic is captured in tests; those that are not there skip theirs
    "curl": "curl",
    "nginx": "nginx-light",
    "openssl": "openssl",
    "go": "golang-go",
    "/usr/include/openssl/ssl.h": "libssl-dev",
    "/usr/include/liburing.h": "liburing-dev",
    "/usr/include/android/openssl/ssl.h": "android-libboringssl-dev",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
}
BROWSER = {"chromium": "chromium"}
BENCH = {"haproxy": "haproxy", "mvn": "maven"}


def missing(programs: dict[str, str]) -> dict[str, str]:
    """Return those that are not on PATH (or, with a whole path, not there)."""
    path = os.environ.get("PATH", "") + os.pathsep + os.pathsep.join(("/usr/sbin", "/usr/local/sbin"))
    return {program: package for program, package in programs.items() if not _there(program, path)}


def _there(program: str, path: str) -> bool:
    return Path(program).exists() if program.startswith("/") else shutil.which(program, path=path) is not None


def install(programs: dict[str, str]) -> int:
    """Install the missing ones with apt-get; return the exit code (0 when nothing is missing)."""
    packages = sorted(set(missing(programs).values()))
    if not packages:
        return 0
    if not shutil.which("apt-get") or os.geteuid() != 0:
        print(f"install these by your system's means: {' '.join(packages)}", file=sys.stderr)
        return 2
    print(f"installing {' '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    quiet = subprocess.DEVNULL
    subprocess.call(["apt-get", "update", "-qq"], stdout=quiet, env=environment)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    return subprocess.call(command, stdout=quiet, env=environment)


if __name__ == "__main__":
    wanted = {**INTEGRATION, **NETWORK, **CLUSTER, **BROWSER}
    wanted |= {**NODE, **E2E} if "--node" in sys.argv else {}
    wanted |= {**KERNEL, **KERNEL_TESTS} if "--kernel" in sys.argv else {}
    wanted |= BENCH if "--bench" in sys.argv else {}
    sys.exit(install(wanted))
