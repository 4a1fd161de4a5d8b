"""What pods that were filtered lately ask: the request to bind them names them and no more."""

from __future__ import annotations

from collections import OrderedDict

from hetero.model.ask import PodAsk


class Recent:
    """The asks of the last pods. For several threads.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._asks: OrderedDict[str, PodAsk] = OrderedDict()

    def note(self, ask: PodAsk) -> None:
        """A pod was filtered."""
        self._asks[ask.key] = ask
        while len(self._asks) > self._most:
            self._asks.popitem(last=False)

    def get(self, key: str) -> PodAsk | None:
        """What a pod asked when it was filtered last."""
        return self._asks.get(key)
