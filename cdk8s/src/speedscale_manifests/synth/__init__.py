"""Values → the files of an installation, through a cdk8s app.

`synthesise` goes through constructs and Node; `objects` and `placed` give the same objects without either (a test holds
them equal), for those who look at objects only.
"""

from .inventory import objects, placed
from .synthesis import files_of, synthesise

__all__ = ["files_of", "objects", "placed", "synthesise"]
