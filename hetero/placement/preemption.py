"""Who must go so that a more important pod fits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

Fits = Callable[[Iterable[str]], bool]
"""Whether the pod fits when these others are gone."""


def victims(fits: Fits, removable: Sequence[str], given: Collection[str]) -> list[str] | None:
    """All of ``given``, and as few more as this finds.

    Each that may go is spared when the pod fits without its going, the most important first. So what is left is few and
    unimportant, though not always the fewest there could be. Each pod that may go costs one look at the node.

    Args:
        fits: Tells whether the pod fits.
        removable: Keys of pods that may go, most important first.
        given: Keys of pods that go in any case.

    Returns:
        Their keys, those of ``given`` first; None when the pod does not fit even with all of them gone.
    """
    sure = list(dict.fromkeys(given))
    if fits(sure):
        return sure
    more = [key for key in dict.fromkeys(removable) if key not in set(sure)]
    if not fits([*sure, *more]):
        return None
    for key in list(more):
        rest = [other for other in more if other != key]
        if fits([*sure, *rest]):
            more = rest
    return [*sure, *more]
