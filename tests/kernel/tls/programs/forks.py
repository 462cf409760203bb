"""Children that ask an HTTPS server, forked after the library was loaded.   forks.py <port> <children>"""

import os
import sys

import peers

print("ready", flush=True)
sys.stdin.readline()
children = []
for _ in range(int(sys.argv[2])):
    child = os.fork()
    if not child:
        peers.ask(int(sys.argv[1]), [10, 50_000, 3])
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
