"""A process that stands for election and writes as long as it leads; started by `test_lease`.

`candidate.py KUBECONFIG NAMESPACE IDENTITY [freeze]`: tells on its standard output what happens, a word a line. With
`freeze` it stops itself (SIGSTOP) once it has written three times: after it decided to write again, before it does.
"""

from __future__ import annotations

import itertools
import signal
import sys
import threading

import structlog

from speedscale_kube import Client, Leader, NotLeaderError, Ref, Stop, load
from speedscale_kube.lease import Durations


def main(kubeconfig: str, namespace: str, identity: str, *how: str) -> int:
    """Run until the lease is lost (exit 3) or SIGTERM came (exit 0)."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    stop = Stop()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    client = Client(load(kubeconfig, environ={}), agent=identity)
    times = Durations(lease_s=3, renew_s=2, retry_s=0.3)
    leader = Leader(client, namespace, "it", identity, times=times)
    fenced = client.fenced(leader.check)
    which = Ref("v1", "ConfigMap", namespace, "it")
    ending = threading.Event()
    writers: list[threading.Thread] = []

    def write() -> None:
        for number in itertools.count():
            if ending.is_set() and leader.leading:
                return
            if number == 3 and "freeze" in how:
                say("freezing")
                # to this very thread: another one may take a signal to the process, and this one run on a little
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
            try:
                fenced.patch(which, {"data": {"by": f"{identity}-{number}"}}, identity)
            except NotLeaderError:
                say("refused")
                return
            if number == 0:
                say("wrote")

    def started() -> None:
        writers.append(threading.Thread(target=write))
        writers[0].start()

    def lost() -> None:
        ending.set()
        writers[0].join()
        say("lost")

    return 0 if leader.run(started, lost, stop) else 3


def say(word: str) -> None:
    """Tell the test."""
    print(word, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
