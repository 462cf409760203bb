"""Reports: a pure function of a results file (and a mocks file); goals, assertions, and the four formats.

`build` reads, `fail_if` and `with_goals` judge, `render` writes bytes. The same files give the same bytes.
"""

from .building import build
from .goals import fail_if
from .model import Difference, Goal, Report, with_goals
from .render import FORMATS, Format, render

__all__ = ["FORMATS", "Difference", "Format", "Goal", "Report", "build", "fail_if", "render", "with_goals"]
