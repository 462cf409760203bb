"""Every way in which Python moves bytes on a connection; argument: which."""

import ctypes
import os
import socket
import sys
import threading

from ends import pair, text

SIZES = (1, 255, 256, 257, 1024, 1025, 4096, 4097, 16384, 16385, 50_000, 3)


def by_read(client, server):
    for i, size in enumerate(SIZES):
        data = text(size, i)
        assert os.write(client.sock.fileno(), client.did_send(data)) == size
        left = size
        while left:
            left -= len(server.did_receive(os.read(server.sock.fileno(), left)))


def by_send(client, server):
    for i, size in enumerate(SIZES):
        client.send(text(size, i))
        left = size
        while left:
            left -= len(server.recv(left))
        server.send(b"ok")
        client.recv(100)


def by_sendto(client, server):
    for i, size in enumerate(SIZES):
        data = text(size, i)
        assert client.sock.sendto(client.did_send(data), 0, ("127.0.0.1", 1)) == size
        left = size
        while left:
            got, _ = server.sock.recvfrom(left)
            left -= len(server.did_receive(got))


def by_vectors(client, server):
    parts = [text(size, i) for i, size in enumerate((3, 0, 700, 17_000, 1, 4096))]
    assert os.writev(client.sock.fileno(), parts) == sum(map(len, parts))
    client.did_send(b"".join(parts))
    into = [bytearray(size) for size in (10, 1, 21_000, 5000)]
    left = sum(map(len, parts))
    while left:
        got = os.readv(server.sock.fileno(), into)
        server.did_receive(b"".join(into)[:got])
        left -= got


def by_many_parts(client, server):
    parts = [text(i % 7, i) for i in range(1024)]
    assert os.writev(client.sock.fileno(), parts) == sum(map(len, parts))
    client.did_send(b"".join(parts))
    left = client.sent
    while left:
        left -= len(server.recv())


def by_messages(client, server):
    parts = [text(size, i) for i, size in enumerate((5, 20_000, 0, 123))]
    assert client.sock.sendmsg(parts) == sum(map(len, parts))
    client.did_send(b"".join(parts))
    left = client.sent
    while left:
        into = [bytearray(100), bytearray(9000), bytearray(30_000)]
        got, *_ = server.sock.recvmsg_into(into)
        server.did_receive(b"".join(into)[:got])
        left -= got
    server.sock.sendmsg([server.did_send(b"answer")])
    data, *_ = client.sock.recvmsg(100)
    client.did_receive(data)


def by_preadv2(client, server):
    libc = ctypes.CDLL(None, use_errno=True)
    data = text(5000)
    buffer = ctypes.create_string_buffer(data, len(data))

    class Part(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    part = Part(ctypes.addressof(buffer), len(data))
    assert libc.pwritev2(client.sock.fileno(), ctypes.byref(part), 1, ctypes.c_long(-1), 0) == len(data)
    client.did_send(data)
    into = ctypes.create_string_buffer(8000)
    part = Part(ctypes.addressof(into), 8000)
    got = libc.preadv2(server.sock.fileno(), ctypes.byref(part), 1, ctypes.c_long(-1), 0)
    server.did_receive(into.raw[:got])


def by_peek(client, server):
    client.send(text(3000))
    assert server.sock.recv(100, socket.MSG_PEEK)
    assert server.sock.recv(3000, socket.MSG_PEEK | socket.MSG_WAITALL)
    server.recv(1000)
    assert server.sock.recv(10, socket.MSG_PEEK)
    server.recv(2000)


def by_not_blocking(client, server):
    server.sock.setblocking(False)
    client.sock.setblocking(False)
    data, left, tries = text(8_000_000), 8_000_000, 0
    view = memoryview(data)
    while left:
        try:
            server.recv(100_000)
        except BlockingIOError:
            tries += 1
        try:
            done = client.sock.send(view[len(data) - left :])
            client.did_send(bytes(view[len(data) - left : len(data) - left + done]))
            left -= done
        except BlockingIOError:
            tries += 1
    while server.received < len(data):
        try:
            server.recv(300_000)
        except BlockingIOError:
            continue
    assert tries


def by_dup(client, server):
    client.send(b"before")
    server.recv()
    other = client.sock.dup()
    client.sock.close()
    client.sock = other
    client.send(b"after dup")
    server.recv()
    os.dup2(client.sock.fileno(), 200)
    os.write(200, client.did_send(b"by dup2"))
    server.recv()
    os.close(200)


def by_fork(client, server):
    client.send(b"parent")
    server.recv()
    child = os.fork()
    if not child:
        client.sock.sendall(b"child")
        os._exit(0)
    os.waitpid(child, 0)
    client.did_send(b"child")
    server.recv()
    client.send(b"parent again")
    server.recv()


def by_threads(client, server):
    """Full duplex: each direction has its own threads."""
    total = 3_000_000

    def write(end, seed):
        for i in range(30):
            end.send(text(total // 30, seed + i))

    def read(end):
        while end.received < total:
            end.recv()

    threads = [
        threading.Thread(target=work, args=arguments)
        for work, arguments in ((write, (client, 0)), (write, (server, 99)), (read, (client,)), (read, (server,)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def by_large(client, server):
    """16 MiB in one call each way."""
    data = text(16 << 20)
    for one, other in ((client, server), (server, client)):
        reader = threading.Thread(
            target=lambda other=other: [other.recv(1 << 20) for _ in iter(lambda: other.received < len(data), False)]
        )
        reader.start()
        view = memoryview(data)
        while view:
            done = one.sock.send(view)
            one.did_send(bytes(view[:done]))
            view = view[done:]
        reader.join()


def end(client, server):
    client.sock.setblocking(True)
    server.sock.setblocking(True)
    client.sock.shutdown(socket.SHUT_WR)
    server.rest()
    server.sock.close()
    client.rest()
    client.close()
    server.tell()


def main():
    which, *rest = sys.argv[1:]
    family, host = (socket.AF_INET6, "::1") if "v6" in rest else (socket.AF_INET, "127.0.0.1")
    client, server = pair(family, host)
    globals()[f"by_{which}"](client, server)
    end(client, server)


if __name__ == "__main__":
    main()
