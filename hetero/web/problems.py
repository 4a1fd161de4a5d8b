"""Why there is no answer, with the status that says so to a browser."""

from __future__ import annotations

from hetero.errors import UserError


class Refused(UserError):
    """A request that is not answered.

    Args:
        status: Of HTTP.
        sentence: Why, and what to do.
        retry_after: Seconds after which it may be tried again; None where that is not the point.
    """

    def __init__(self, status: int, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = retry_after
