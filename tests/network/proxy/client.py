"""A client for the tests of this folder: `client.py ADDRESS PORT KIND …`; prints JSON, fails where a byte differs.

http HOST COUNT SIZE            requests on connections of their own and on one kept alive
https HOST SIZE CA [CERT]       over TLS; says who issued what it was shown
banner SIZE                     to a server that speaks first
load HOST CONNECTIONS UNTIL     new connections until the file exists; counts failures
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import sys
import threading
from pathlib import Path

address, port, kind, *rest = sys.argv[1:]


def exchange(connection: http.client.HTTPConnection, host: str, number: int, size: int) -> None:
    path = f"/bytes/{number}/{size}"
    connection.request("GET", path, headers={"Host": host})
    found = connection.getresponse().read()
    wanted = hashlib.shake_128(path.encode()).digest(size)
    assert hashlib.sha256(found).digest() == hashlib.sha256(wanted).digest(), (len(found), size)
    body = hashlib.shake_128(b"body" + path.encode()).digest(size)
    connection.request("POST", "/take", body, headers={"Host": host})
    answer = connection.getresponse().read().decode()
    assert answer == hashlib.sha256(body).hexdigest(), answer


def plain() -> http.client.HTTPConnection:
    return http.client.HTTPConnection(address, int(port), timeout=30)


def many(host: str, count: str, size: str) -> dict[str, object]:
    kept = plain()
    for number in range(int(count)):
        exchange(kept, host, number, int(size))
        once = plain()
        exchange(once, host, number + 1000, int(size))
        once.close()
    kept.close()
    return {"requests": 4 * int(count)}


def tls(host: str, size: str, ca: str, certificate: str = "") -> dict[str, object]:
    context = ssl.create_default_context(cafile=ca)
    if certificate:
        context.load_cert_chain(certificate)
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    raw = socket.create_connection((address, int(port)), timeout=30)
    secure = context.wrap_socket(raw, server_hostname=host)
    connection.sock = secure
    issuer = dict(x[0] for x in secure.getpeercert()["issuer"])  # type: ignore[index, union-attr, misc]
    shown = hashlib.sha256(secure.getpeercert(True) or b"").hexdigest()
    for number in range(3):
        exchange(connection, host, number, int(size))
    connection.close()
    return {"issuer": issuer["commonName"], "sha256": shown}


def banner(size: str) -> dict[str, object]:
    with socket.create_connection((address, int(port)), timeout=30) as sock:
        assert sock.recv(100) == b"220 ready\r\n"
        body = hashlib.shake_128(b"mail").digest(int(size))
        sock.sendall(body)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while data := sock.recv(100):
            answer += data
    assert answer.decode() == hashlib.sha256(body).hexdigest(), answer
    return {}


def load(host: str, connections: str, until: str) -> dict[str, object]:
    done, failed = [], []

    def work() -> None:
        while not Path(until).exists():
            connection = plain()
            try:
                connection.connect()
                connection.request("GET", "/bytes/1/64", headers={"Host": host, "Connection": "close"})
                connection.getresponse().read()
                done.append(1)
            except Exception as error:
                failed.append(f"{type(error).__name__}: {error}")
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"done": len(done), "failed": failed}


print(json.dumps({"http": many, "https": tls, "banner": banner, "load": load}[kind](*rest)))  # type: ignore[operator]
