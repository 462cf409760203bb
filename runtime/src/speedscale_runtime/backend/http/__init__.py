"""The HTTP face: one handler for each operation of the API's document, and everything that all of them share.

`face` knows who asks and whether they may, checks parameters and bodies against the document, turns refusals into
answers, counts and audits. Handlers only translate between a call and the part that does the work.
"""

from .face import Face
from .services import Services

__all__ = ["Face", "Services"]
