"""Names and addresses of the one node, the same in each cluster: its network is its own.

    outside  203.0.113.10 ── 198.51.100.1 ═══ 198.51.100.10  node-0 ── cni0 10.244.0.1 ── pods 10.244.0.0/24

Networks for documentation (RFC 5737) play the Internet. Addresses and paths only; nothing is made here.
"""

from __future__ import annotations

NAME = "node-0"
NODE_IP = "198.51.100.10"
GATEWAY_IP = "198.51.100.1"
LINK_BITS = 24
OUTSIDE_IP = "203.0.113.10"
OUTSIDE_NAME = "outside.example.com"
POD_RANGE = "10.244.0.0/24"
DNS_IP = "10.96.0.10"
DNS_DOMAIN = "cluster.local"
CNI_PROGRAMS = "/usr/lib/cni"  # of Debian's containernetworking-plugins
STORAGE_CLASS = "standard"
PAUSE = "localhost/speedscale/pause:1"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
