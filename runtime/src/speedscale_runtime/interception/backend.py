"""The programs iptables-save and iptables-restore of both back ends and families: which to use, and what they say.

Called by `applying`; the only place that runs them. Their errors become PermanentError with a cause, in words that say
what to do. `legacy` opens a raw socket, which needs NET_RAW; `nft` needs NET_ADMIN alone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from speedscale_schemas.errors import PermanentError

from . import saved
from .model import Family
from .saved import Table

_TIMEOUT_S: Final = 30
_WAIT_S: Final = 10
_STEM: Final = {Family.V4: "iptables", Family.V6: "ip6tables"}
_NET_ADMIN, _NET_RAW = 12, 13
_NO_RIGHT = re.compile(r"permission denied|not permitted|you must be root", re.IGNORECASE)
_NO_MODULE = re.compile(
    r"missing kernel module|not supported|no chain/target/match|protocol not available|does not exist.*insmod"
    r"|can't initialize|unable to initialize|no such file or directory|module",
    re.IGNORECASE,
)
_LINE = re.compile(r"line:? (\d+)")


class Cause(StrEnum):
    """Why rules cannot be read or written."""

    NO_PROGRAM = "no_program"
    NO_RIGHT = "no_right"
    NO_MODULE = "no_module"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    NODE_NETWORK = "node_network"


@dataclass(frozen=True, slots=True)
class Backend:
    """One of the two ways into the kernel: `nft` or `legacy`."""

    name: str

    @property
    def program(self) -> str:
        """Return the one program that is all of them; images need not have their other names."""
        return f"xtables-{self.name}-multi"

    def tables(self, family: Family) -> dict[str, Table]:
        """Return the tables that there are; looking makes none."""
        return saved.parse(_run(self, family, "save", ""))

    def restore(self, family: Family, text: str) -> None:
        """Carry out a text of iptables-restore, all of each table or nothing of it."""
        _run(self, family, "restore", text, "--noflush", "--wait", str(_WAIT_S))

    def drop_empty(self, family: Family, table: str) -> bool:
        """Take away a table that does nothing; only nftables can, and only with its own program."""
        nft = _path("nft")
        if self.name != "nft" or nft is None or not self.tables(family).get(table, Table()).empty:
            return False
        kind = "ip" if family is Family.V4 else "ip6"
        done = subprocess.run([nft, "delete", "table", kind, table], capture_output=True, timeout=_TIMEOUT_S)
        return done.returncode == 0


def choose(wish: str, notes: list[str]) -> Backend:
    """Return the back end: as wished, else legacy where this network has rules of it already, else nft."""
    if wish != "auto":
        return Backend(wish)
    there = legacy_rules()
    if there is None:
        notes.append("there are tables of legacy iptables here, which cannot be seen without the capability NET_RAW")
    found = "legacy" if there or _path(Backend("nft").program) is None else "nft"
    return Backend(found)


def legacy_rules(proc: Path = Path("/proc/net")) -> bool | None:
    """Return whether this network has rules of the legacy back end, None where that cannot be seen."""
    unseen = False
    for family, name in ((Family.V4, "ip_tables_names"), (Family.V6, "ip6_tables_names")):
        try:
            there = (proc / name).read_text("ascii").strip()
            tables = Backend("legacy").tables(family) if there else {}
        except OSError:
            continue  # this kernel has no such tables
        except PermanentError:
            unseen = True
            continue
        if not all(table.empty for table in tables.values()):
            return True
    return None if unseen else False


def _path(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _run(backend: Backend, family: Family, verb: str, text: str, *flags: str) -> str:
    applet, program = f"{_STEM[family]}-{verb}", f"{_STEM[family]}-{backend.name}-{verb}"
    path = _path(backend.program)
    if path is None:
        raise PermanentError(Cause.NO_PROGRAM, f"{backend.program} (iptables) is not installed in this image")
    try:
        done = subprocess.run(
            [path, applet, *flags], input=text, capture_output=True, text=True, timeout=_TIMEOUT_S, env=_environment()
        )
    except subprocess.TimeoutExpired:
        raise PermanentError(Cause.TIMEOUT, f"{program} did not end within {_TIMEOUT_S} s") from None
    if done.returncode:
        raise _error(program, backend, done.stderr, text)
    return done.stdout


def _environment() -> dict[str, str]:
    """Return what iptables needs; its lock file lies where a read-only root file system has room."""
    found = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    if not os.access("/run", os.W_OK) and os.access("/dev/shm", os.W_OK):
        found["XTABLES_LOCKFILE"] = "/dev/shm/speedscale-xtables.lock"
    return found


def _error(program: str, backend: Backend, stderr: str, text: str) -> PermanentError:
    said = " ".join(line.strip() for line in stderr.splitlines() if line.strip() and "--help" not in line)
    lacking = _lacking(backend)
    if lacking or _NO_RIGHT.search(said):
        what = " and ".join(lacking) or "NET_ADMIN"
        return PermanentError(
            Cause.NO_RIGHT,
            f"{program}: {said}: the container must run as root with capability {what}; a namespace or policy may have"
            " taken it away",
        )
    line = _LINE.search(said)
    rule = ""
    if line:
        lines = text.splitlines()
        index = int(line[1]) - 1
        rule = f" (the rule is: {lines[index]})" if 0 <= index < len(lines) else ""
    if _NO_MODULE.search(said):
        return PermanentError(
            Cause.NO_MODULE, f"{program}: {said}{rule}: the node's kernel lacks a module for it, or may not load it"
        )
    return PermanentError(Cause.REFUSED, f"{program}: {said or 'it gave no reason'}{rule}")


def _lacking(backend: Backend) -> list[str]:
    """Return the capabilities that are needed and not effective here."""
    try:
        status = Path("/proc/self/status").read_text("ascii", "replace")
        effective = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), 16)
    except (OSError, StopIteration, ValueError):
        return []
    wanted = {"NET_ADMIN": _NET_ADMIN} | ({"NET_RAW": _NET_RAW} if backend.name == "legacy" else {})
    return [name for name, bit in wanted.items() if not effective >> bit & 1]
