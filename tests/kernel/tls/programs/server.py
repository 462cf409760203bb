"""An HTTPS server by Python's asyncio: prints its port.   server.py <certificate>"""

import asyncio
import ssl
import sys

from peers import body


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            break
        fields = dict(line.lower().split(b": ", 1) for line in head.strip().split(b"\r\n")[1:])
        await reader.readexactly(int(fields.get(b"content-length", b"0")))
        data = body(int(head.split(b" ")[1].strip(b"/")))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        await writer.drain()
    writer.close()


async def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, limit=1 << 24)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
