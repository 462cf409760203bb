"""A small HTTP server and a client of it, in one process: prints how many requests were answered.

Arguments: requests, kept-alive connections, `tls` and a certificate's file for https. Bodies differ, so that a wrong
pair shows: the answer bears the number of its request.
"""

from __future__ import annotations

import http.client
import http.server
import ssl
import sys
import threading


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = b"answer " + body * 3
        self.send_response(200)
        self.send_header("X-Number", self.path.rpartition("/")[2])
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Not of interest."""


def main() -> None:
    requests, connections = int(sys.argv[1]), int(sys.argv[2])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    secure = sys.argv[3:4] == ["tls"]
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[4])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port, done = server.server_address[1], 0
    for _ in range(connections):
        if secure:
            trusting = ssl.create_default_context(cafile=sys.argv[4])
            trusting.check_hostname = False
            client: http.client.HTTPConnection = http.client.HTTPSConnection("127.0.0.1", port, context=trusting)
        else:
            client = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(requests // connections):
            client.request("POST", f"/n/{done}", b"asked %d " % done * (1 + done % 50), {"Host": "shop"})
            answer = client.getresponse()
            assert answer.read().startswith(b"answer asked %d " % done)
            done += 1
        client.close()
    print(done)


if __name__ == "__main__":
    main()
