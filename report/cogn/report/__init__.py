"""What the parts of cogn say to the person who runs it: errors and progress.

Every part may import this one; it imports none of them and prints nothing.
"""

from cogn.report.errors import CognError, ProblemsError, Where
from cogn.report.progress import Reporter, Task

__all__ = ["CognError", "ProblemsError", "Reporter", "Task", "Where"]
