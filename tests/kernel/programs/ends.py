"""Sockets that keep account of what the application sent and received, and print it: the truth of the tests."""

import hashlib
import json
import os
import socket


class End:
    def __init__(self, sock):
        self.sock = sock
        self.local, self.remote = sock.getsockname()[1], sock.getpeername()[1]
        self.out, self.into = hashlib.sha256(), hashlib.sha256()
        self.sent = self.received = 0

    def did_send(self, data):
        self.out.update(data)
        self.sent += len(data)
        return data

    def did_receive(self, data):
        self.into.update(data)
        self.received += len(data)
        return data

    def send(self, data):
        self.sock.sendall(data)
        self.did_send(data)

    def recv(self, size=1 << 16):
        return self.did_receive(self.sock.recv(size))

    def rest(self):
        while self.recv():
            pass

    def close(self):
        self.sock.close()
        self.tell()

    def tell(self):
        told = {
            "local": self.local,
            "remote": self.remote,
            "sent": [self.sent, self.out.hexdigest()],
            "received": [self.received, self.into.hexdigest()],
        }
        os.write(1, json.dumps(told).encode() + b"\n")  # in one piece: children of a fork print, too


def pair(family=socket.AF_INET, host="127.0.0.1"):
    """Two ends of one connection in this process: client, server."""
    with socket.create_server((host, 0), family=family, dualstack_ipv6=False) as server:
        client = socket.create_connection(server.getsockname()[:2])
        accepted, _ = server.accept()
    return End(client), End(accepted)


def text(length, seed=0):
    """Bytes that differ at every place of one chunk from those of any other."""
    word = hashlib.sha256(b"%d" % seed).digest()
    blocks = length // 32 + 1
    return b"".join(hashlib.sha256(word + b"%d" % i).digest() for i in range(blocks))[:length]
