"""A node with a pod, and two hosts behind it, each a network namespace of the test's own; who answers says its name."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

SERVICE_V4, SERVICE_V6 = "10.96.0.9", "fd00:96::9"
_numbers = count()

ANSWER = """
import json, os, socket, struct, sys, threading
name, uid, ports = sys.argv[1], int(sys.argv[2]), [p.rpartition("@") for p in sys.argv[3:]]
def original(sock):
    if sock.family == socket.AF_INET:
        raw = sock.getsockopt(socket.IPPROTO_IP, 80, 16)
        return f"{socket.inet_ntop(socket.AF_INET, raw[4:8])}:{struct.unpack_from('!H', raw, 2)[0]}"
    raw = sock.getsockopt(socket.IPPROTO_IPV6, 80, 28)
    return f"[{socket.inet_ntop(socket.AF_INET6, raw[8:24])}]:{struct.unpack_from('!H', raw, 2)[0]}"
def serve(listener, port):
    while True:
        sock, peer = listener.accept()
        try: meant = original(sock)
        except OSError: meant = ""
        sock.sendall((json.dumps({"by": name, "port": port, "meant": meant, "peer": peer[0]}) + "\\n").encode())
        sock.close()
listeners = []
for host, _, port in ports:
    for family, every in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        if host and (":" in host) != (family == socket.AF_INET6): continue
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6: listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host or every, int(port))); listener.listen(64)
        listeners.append((listener, int(port)))
path = os.environ["STATUS_FILE"]
open(path + ".tmp", "w").write("{}"); os.replace(path + ".tmp", path)
os.setgid(uid); os.setuid(uid)
threads = [threading.Thread(target=serve, args=one) for one in listeners]
[t.start() for t in threads]; [t.join() for t in threads]
"""
ASK = """
import os, socket, sys
host, port, uid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.setgid(uid); os.setuid(uid)
sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
sock.settimeout(10)
if len(sys.argv) > 4: sock.bind((sys.argv[4], 0))
try:
    sock.connect((host, port)); print(sock.makefile().readline().strip() or "{}")
except OSError as error:
    print('{"by": "nobody", "error": "%s"}' % type(error).__name__)
"""


@dataclass
class Place:
    """A namespace: its addresses, and what runs in it."""

    name: str
    v4: str
    v6: str
    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, *words: str) -> list[str]:
        return ["nsenter", f"--net=/var/run/netns/{self.name}", *words]

    def sh(self, *words: str, text: str = "") -> str:
        done = subprocess.run(self.command(*words), input=text, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def ask(self, host: str, port: int, uid: int = 1000, source: str = "") -> dict[str, Any]:
        """Connect as a user; who answered, to which port, and where the connection was meant to go."""
        found: dict[str, Any] = json.loads(
            self.sh(sys.executable, "-c", ASK, host, str(port), str(uid), *([source] if source else []))
        )
        return found

    def start(self, command: list[str], name: str, **environment: str) -> Path:
        """Start a process that writes STATUS_FILE when it is ready; returns that file."""
        status, log = self.folder / f"{name}.json", self.folder / f"{name}.log"
        status.unlink(missing_ok=True)
        with log.open("ab") as out:
            process = subprocess.Popen(
                self.command(*command),
                env={**os.environ, "STATUS_FILE": str(status), **environment},
                stdout=out,
                stderr=out,
            )
        self.started.append(process)
        deadline = time.monotonic() + 90
        while not status.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        return status

    def answer(self, name: str, uid: int, *ports: str) -> None:
        """Answer on ports, `address@port` for one address only."""
        self.start([sys.executable, "-c", ANSWER, name, str(uid), *ports], f"{self.name}-{name}")

    def end(self) -> None:
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.started):
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(90)


@dataclass
class Done:
    """How a program ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    @property
    def event(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def notes(self) -> str:
        return "\n".join(e["note"] for e in self.events if e["event"] == "rules_note")


@dataclass
class World:
    """Client and server reach the pod, and the pod them, by way of the node, which is the pod's gateway."""

    node: Place
    pod: Place
    client: Place
    server: Place

    def program(self, module: str, *arguments: str, before: tuple[str, ...] = (), **environment: str) -> Done:
        """Run an init container's program in the pod, with nothing of the test's own environment."""
        given = {
            "PATH": os.environ["PATH"],
            "STATUS_HOST_IP": self.node.v4,
            "STATUS_POD_IP": self.pod.v4,
            "TERMINATION_LOG": "",
            **environment,
        }
        if not before:
            return self._in_a_child(module, arguments, given)
        command = self.pod.command(
            *before, sys.executable, "-m", f"speedscale_runtime.interception.{module}", *arguments
        )
        done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def _in_a_child(self, module: str, arguments: tuple[str, ...], environment: dict[str, str]) -> Done:
        """Run `main` in a child of this process that enters the pod: what costs is not the program but its imports."""
        main = importlib.import_module(f"speedscale_runtime.interception.{module}").main
        files = [self.pod.folder / name for name in ("out", "err")]
        child = os.fork()
        if child == 0:
            code = 70
            try:
                for number, path in enumerate(files, start=1):
                    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
                sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
                network = os.open(f"/var/run/netns/{self.pod.name}", os.O_RDONLY)
                if ctypes.CDLL(None, use_errno=True).setns(network, 0x40000000):  # CLONE_NEWNET
                    raise OSError(ctypes.get_errno(), "setns")
                os.environ.clear()
                os.environ.update(environment)
                code = main(list(arguments))
            except SystemExit as end:
                code = int(end.code or 0)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        return Done(os.waitstatus_to_exitcode(status), *(path.read_text() for path in files))

    def capture(self, *arguments: str, rules: dict[str, Any] | None = None, **environment: str) -> Done:
        """Run speedscale-initproxy-iptables; it must succeed."""
        done = self.program("iptables", *arguments, CAPTURE_RULES=json.dumps(rules or {}), **environment)
        assert done.code == 0, done.err
        return done

    def saved(self) -> str:
        """Return all rules of the pod's network of both families and back ends, without dates and counts."""
        kept = []
        for program in ("iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"):
            for line in self.pod.sh(program).splitlines():
                kept += [] if line.startswith("#") else [line.partition(" [")[0]]
        return "\n".join(kept)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _forwarding(node: Place) -> None:
    # the kernel's settings of the namespace that nsenter is in
    for path in ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"):
        node.sh("sh", "-c", f"echo 1 > {path}")


def _cable(node: Place, other: Place) -> None:
    end = f"to-{other.name[:3]}"
    _ip("link", "add", end, "netns", node.name, "type", "veth", "peer", "name", "eth0", "netns", other.name)
    gateways = (f"{other.v4.rpartition('.')[0]}.1", f"{other.v6.rpartition('::')[0]}::1")
    _ip("-n", node.name, "addr", "add", f"{gateways[0]}/24", "dev", end)
    _ip("-n", node.name, "addr", "add", f"{gateways[1]}/64", "dev", end, "nodad")
    _ip("-n", node.name, "link", "set", end, "up")
    _ip("-n", other.name, "addr", "add", f"{other.v4}/24", "dev", "eth0")
    _ip("-n", other.name, "addr", "add", f"{other.v6}/64", "dev", "eth0", "nodad")
    _ip("-n", other.name, "link", "set", "eth0", "up")
    _ip("-n", other.name, "route", "add", "default", "via", gateways[0])
    _ip("-n", other.name, "-6", "route", "add", "default", "via", gateways[1])


@contextmanager
def _places(folder: Path) -> Iterator[World]:
    tools = ("ip", "nsenter", "setpriv", "iptables-nft-restore")
    if os.geteuid() != 0 or not all(map(shutil.which, tools)):
        pytest.skip(f"network namespaces and rules need root and {', '.join(tools)}")
    number = f"{os.getpid() % 1_000_000}{next(_numbers)}"
    addresses = {
        "node": ("192.0.2.10", "2001:db8::10"),
        "pod": ("10.244.0.7", "fd00:244::7"),
        "client": ("10.1.0.2", "fd00:1::2"),
        "server": ("10.2.0.2", "fd00:2::2"),
    }
    places = {name: Place(f"{name}{number}", *both, folder) for name, both in addresses.items()}
    made: list[Place] = []
    try:
        for place in places.values():
            try:
                _ip("netns", "add", place.name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no network namespace can be made here: {error.stderr.strip()}")
            made.append(place)
            _ip("-n", place.name, "link", "set", "lo", "up")
        world = World(**places)
        _ip("-n", world.node.name, "addr", "add", f"{world.node.v4}/32", "dev", "lo")
        for other in (world.pod, world.client, world.server):
            _cable(world.node, other)
        _forwarding(world.node)
        yield world
    finally:
        for place in made:
            place.end()
            subprocess.run(["ip", "netns", "del", place.name], check=False, capture_output=True)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[World]:
    """The places, with nothing running in them and no rule ever written."""
    with _places(tmp_path) as world:
        yield world


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The places with an application in the pod, something where the proxy's listeners are, and a server."""
    with _places(tmp_path_factory.mktemp("places")) as world:
        world.pod.answer("proxy", 2102, "@4143", "127.0.0.1@4140", "::1@4140", "@4144", "@4145")
        world.pod.answer("app", 1000, "@8080", "@9090", "127.0.0.1@8081")
        world.server.answer("server", 0, "@80", "@443", "@5432", "@53")
        yield world


@pytest.fixture
def world(lasting: World) -> World:
    """The same for all tests of a module, without any rule when a test begins."""
    for place in (lasting.pod, lasting.node):
        for program in ("iptables-nft", "ip6tables-nft"):
            for table in ("nat", "filter"):
                place.sh(program, "-t", table, "-F")
                place.sh(program, "-t", table, "-X")
    return lasting


@pytest.fixture
def service(world: World) -> Callable[[], None]:
    """A Service that leads to the pod itself, done by the node as kube-proxy does it."""

    def make() -> None:
        for program, address, target, source in (
            ("iptables-nft", SERVICE_V4, f"{world.pod.v4}:8080", world.pod.v4),
            ("ip6tables-nft", SERVICE_V6, f"[{world.pod.v6}]:8080", world.pod.v6),
        ):
            world.node.sh(program, "-t", "nat", "-A", "PREROUTING", "-d", address, "-p", "tcp", "--dport", "80",
                          "-j", "DNAT", "--to-destination", target)  # fmt: skip
            world.node.sh(program, "-t", "nat", "-A", "POSTROUTING", "-s", source, "-d", source, "-j", "MASQUERADE")

    return make
