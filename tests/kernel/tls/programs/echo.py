"""Says over TLS what it hears, on one connection: prints its port.   echo.py <certificate>"""

import socket
import ssl
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
link = context.wrap_socket(listener.accept()[0], server_side=True)
while data := link.recv(65536):
    link.sendall(data)
