"""The ingest of nettap: what the capture process saw in the kernel becomes pairs like those of the sidecar.

How it fits together, along the way of a chunk: `wire` decodes frames, `line` reads them from the socket, `reassembly`
puts the chunks of one direction in order, `connection` feeds both directions to the parsers of `protocols`, and
`recording` takes what they hand out. Beside it: `targets` and `pods` say what is captured and whose it is, `cluster`
watches the Kubernetes API for them, `names` learns from DNS answers what addresses are called, `counters` and `api`
tell how it all stands. `service` owns sockets and tasks.
"""
