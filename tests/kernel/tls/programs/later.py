"""A client that loads its TLS library when told: two lines on stdin.   later.py <port>"""

import sys

print("ready", flush=True)
sys.stdin.readline()
import peers  # noqa: E402

sys.stdin.readline()
peers.ask(int(sys.argv[1]), [1, 70_000])
