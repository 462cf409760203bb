"""A client by Python's ssl, with sockets or with asyncio: waits for a line on stdin, then asks for answers.

client.py sockets|asyncio <port> <connections> <size>...
"""

import asyncio
import socket
import ssl
import sys

from peers import ask, body

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE


def by_sockets(port: int, sizes: list[int]) -> None:
    ask(port, sizes, CONTEXT.wrap_socket(socket.create_connection(("127.0.0.1", port))))


async def by_asyncio(port: int, sizes: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=CONTEXT)
    for size in sizes:
        data = body(size)
        writer.write(b"POST /%d HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (size, len(data)))
        writer.write(data)
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(size)
    writer.close()
    await writer.wait_closed()


async def all_by_asyncio(port: int, connections: int, sizes: list[int]) -> None:
    await asyncio.gather(*(by_asyncio(port, sizes) for _ in range(connections)))


def main() -> None:
    how, port, connections, *sizes = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    if how == "sockets":
        for _ in range(int(connections)):
            by_sockets(int(port), list(map(int, sizes)))
    else:
        asyncio.run(all_by_asyncio(int(port), int(connections), list(map(int, sizes))))


main()
