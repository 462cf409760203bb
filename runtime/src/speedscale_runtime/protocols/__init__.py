"""Sans-io protocol code: bytes in, facts out. No sockets, files, clocks or threads in this package."""
