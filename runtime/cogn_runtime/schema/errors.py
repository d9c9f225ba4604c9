"""The one error of this package."""

__all__ = ["SignatureError"]


class SignatureError(Exception):
    """Raised when a signature cannot be served; says where, what is wrong and what to write."""

    def __init__(self, where: str, problem: str, hint: str) -> None:
        self.where = where
        self.problem = problem
        self.hint = hint
        super().__init__(f"{where}: {problem}; {hint}")
