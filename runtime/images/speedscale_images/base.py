"""What no package brings: links, users, certificates in one file; and what of the standard library stays out.

Called by `layers` for the two layers that nearly all images share.
"""

from __future__ import annotations

from . import bytecode
from .tree import MERGED, Tree

BUNDLE = "etc/ssl/certs/ca-certificates.crt"
STDLIB = "usr/lib/python3.11"
_PASSWD = (
    ("root", 0, "/root"),
    ("speedscale", 2100, "/tmp"),
    ("goproxy", 2102, "/tmp"),
    ("nobody", 65534, "/nonexistent"),
)
_STDLIB_LEFT_OUT = (
    "config-3.11-x86_64-linux-gnu", "config-3.11-aarch64-linux-gnu", "ensurepip", "idlelib", "lib2to3", "pydoc_data",
    "sitecustomize.py", "test", "tkinter", "turtle.py", "turtledemo", "unittest/test", "distutils/tests", "venv",
)  # fmt: skip
_MODULES_LEFT_OUT = (
    "_crypt", "_ctypes_test", "_curses", "_curses_panel", "_dbm", "_testbuffer", "_testcapi", "_testclinic",
    "_testimportmultiple", "_testinternalcapi", "_testmultiphase", "_xxtestfuzz", "audioop", "nis", "ossaudiodev",
    "readline", "xxlimited", "xxlimited_35",
)  # fmt: skip


def core(tree: Tree) -> None:
    """What maintainers' scripts and an installer make: links of /usr, users, certificates in one file."""
    for name in MERGED:
        tree.link(name, f"usr/{name}")
        tree.folder(f"usr/{name}")
    tree.file("etc/passwd", "".join(f"{n}:x:{i}:{i}:{n}:{h}:/usr/sbin/nologin\n" for n, i, h in _PASSWD).encode())
    tree.file("etc/group", "".join(f"{name}:x:{number}:\n" for name, number, _ in _PASSWD).encode())
    tree.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    tree.folder("tmp", 0o1777)
    tree.folder("var/tmp", 0o1777)
    for name in ("dev", "proc", "root", "run", "sys"):
        tree.folder(name)
    roots = [entry.data for path, entry in tree if path.startswith("usr/share/ca-certificates/") and entry.data]
    tree.file(BUNDLE, b"".join(roots))
    tree.remove("usr/share/ca-certificates")
    tree.remove("usr/sbin/update-ca-certificates")
    tree.link("usr/lib/ssl/cert.pem", f"/{BUNDLE}")
    tree.link("usr/lib/ssl/certs", "/etc/ssl/certs")


def python(tree: Tree, compiler: bytecode.Interpreter) -> None:
    """Take out of the standard library what a service never imports or cannot (no terminal), and compile the rest."""
    for name in _STDLIB_LEFT_OUT:
        tree.remove(f"{STDLIB}/{name}")
    for path in [path for path, _ in tree if path.startswith(f"{STDLIB}/lib-dynload/")]:
        if path.rpartition("/")[2].partition(".")[0] in _MODULES_LEFT_OUT:
            tree.remove(path)
    bytecode.precompile(tree, [STDLIB], compiler)
