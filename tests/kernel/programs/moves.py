"""What system calls for bytes do not show, and traffic in peculiar circumstances; argument: which."""

import contextlib
import os
import socket
import sys
import tempfile
import threading

from ends import End, pair, text


def finish(*ends):
    for end in ends:
        end.sock.shutdown(socket.SHUT_WR)
    for end in ends:
        end.rest()
    for end in ends:
        end.close()


def step():
    """Say that a point is reached, and wait until the test has seen to its part."""
    os.write(1, b"\n")
    sys.stdin.readline()


def receive(end, total):
    while end.received < total:
        end.recv()


def sendfile():
    client, server = pair()
    body = text(300_000)
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        server.send(b"head")
        at = 0
        reader = threading.Thread(target=receive, args=(client, 4 + len(body)))
        reader.start()
        while at < len(body):
            done = os.sendfile(server.sock.fileno(), file.fileno(), at, len(body) - at)
            server.did_send(body[at : at + done])
            at += done
        reader.join()
        server.send(b"tail")
    finish(client, server)


def splice():
    """A proxy that splices: what it takes from one connection goes to the other by a pipe."""
    client, front = pair()
    back, server = pair()
    client.send(text(30_000))
    out, into = os.pipe()
    while front.received < 30_000:
        got = os.splice(front.sock.fileno(), into, 30_000 - front.received)
        front.did_receive(client_bytes(front.received, got))
        while got:
            done = os.splice(out, back.sock.fileno(), got)
            back.did_send(client_bytes(back.sent, done))
            got -= done
    receive(server, 30_000)
    finish(client, front, back, server)


def client_bytes(at, length):
    return text(30_000)[at : at + length]


def truncated():
    """The receiver throws 1,000 of 3,000 bytes away."""
    client, server = pair()
    client.send(text(3000))
    server.recv(1000)
    assert server.sock.recv(1000, socket.MSG_TRUNC)
    server.did_receive(text(3000)[1000:2000])
    server.recv(1000)
    finish(client, server)


def bulk(total):
    client, server = pair()
    reader = threading.Thread(target=receive, args=(server, int(total)))
    reader.start()
    data = memoryview(text(int(total)))
    for at in range(0, len(data), 60_000):
        client.send(data[at : at + 60_000])
    reader.join()
    finish(client, server)


def midstream():
    """Talk before and after the test attaches; one thread is in the middle of a call."""
    client, server = pair()
    client.sock.sendall(b"before")
    server.sock.recv(100)
    quiet, asleep = pair()
    reader = threading.Thread(target=lambda: asleep.recv(100))
    reader.start()
    step()
    quiet.send(b"to the sleeper")
    reader.join()
    client.send(b"after")
    server.recv()
    server.send(text(20_000))
    receive(client, 20_000)
    finish(client, server, quiet, asleep)


def storm(count):
    """Connections one after another on the same descriptors, each with bytes of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        for i in range(int(count)):
            client = End(socket.create_connection(listener.getsockname()))
            accepted, _ = listener.accept()
            server = End(accepted)
            client.send(text(i % 900 + 1, i))
            receive(server, i % 900 + 1)
            server.send(text(i % 300 + 1, i + 7))
            receive(client, i % 300 + 1)
            finish(client, server)


def fork_server(count):
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        for i in range(int(count)):
            client = End(socket.create_connection(listener.getsockname()))
            accepted, _ = listener.accept()
            child = os.fork()
            if not child:
                client.sock.close()
                server = End(accepted)
                receive(server, 500)
                server.send(text(700, i))
                server.rest()
                server.close()
                os._exit(0)
            accepted.close()
            client.send(text(500, i))
            receive(client, 700)
            finish(client)
            os.waitpid(child, 0)


def mapped():
    """An IPv4 client of a server that listens on IPv6 for both."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        client = End(socket.create_connection(("127.0.0.1", listener.getsockname()[1])))
        accepted, _ = listener.accept()
        server = End(accepted)
    client.send(b"mapped")
    receive(server, 6)
    finish(client, server)


def reset():
    """The connection ends by a reset; what had arrived before is read after it."""
    client, server = pair()
    client.send(text(5000))
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    receive(server, 2000)
    client.sock.close()
    with contextlib.suppress(ConnectionResetError):
        server.rest()
    server.sock.close()
    client.tell()
    server.tell()


def unread():
    """One end closes while bytes wait that it never read."""
    client, server = pair()
    client.send(text(5000))
    server.recv(1000)
    server.sock.close()
    with contextlib.suppress(ConnectionResetError):
        client.rest()
    client.close()
    server.tell()


def overlapping():
    """Four threads write to one connection without a lock."""
    client, server = pair()
    word = [bytes([65 + i]) * 5000 for i in range(4)]

    def write(i):
        for _ in range(200):
            client.sock.sendall(word[i])

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    receive(server, 4 * 200 * 5000)
    for thread in threads:
        thread.join()
    client.sent = 4 * 200 * 5000
    finish(client, server)


def names(server):
    """Ask a name server on port 53: connected, not connected, and by TCP in two pieces."""
    question = b"\x12\x34" + bytes(14)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect((server, 53))
        asked.send(question)
        asked.recv(2000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.sendto(question, (server, 53))
        asked.recvfrom(2000)
        asked.sendto(question, (server, 53))
        asked.recvmsg(2000)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asked:
        asked.sendto(question, (f"::ffff:{server}", 53))
        asked.recvfrom(2000)
    with socket.create_connection((server, 53)) as asked:
        asked.sendall(len(question).to_bytes(2, "big") + question)
        asked.recv(2, socket.MSG_WAITALL)
        asked.recv(5, socket.MSG_WAITALL)
        asked.recv(2000)


def waits():
    step()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
