"""An HTTP server in asyncio, sync Python or Node's way; argument: which, port. Answers with what the path asks for."""

import asyncio
import socketserver
import sys


def answer(head):
    size = int(head.split()[1].rpartition(b"/")[2])
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(i % 251 for i in range(size))


async def serve(reader, writer):
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer(head))
            await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()


async def by_asyncio(port):
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await server.serve_forever()


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        head = b""
        for line in self.rfile:
            head += line
            if line == b"\r\n":
                self.wfile.write(answer(head))
                head = b""


class Threads(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    how, port = sys.argv[1], int(sys.argv[2])
    if how == "asyncio":
        asyncio.run(by_asyncio(port))
    else:
        with Threads(("127.0.0.1", port), Handler) as server:
            server.serve_forever()
