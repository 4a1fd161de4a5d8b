"""Who is reviewed when: failures hold up those that follow them from one address, and keep no good token out."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hetero.web.problems import Refused
from hetero.web.sessions import MOST, Token
from hetero.web.trials import AT_ONCE, BAD, WAITING, Attempts, Bad, Trials

FAILURES = 10


class Clock:
    """Moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Reviews:
    """An API server that knows tokens that begin with "good", and answers when it is let.

    Attributes:
        asked: Texts of the tokens that were reviewed.
        most: How many were at once.
        free: It answers.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.most = 0
        self.free = asyncio.Event()
        self.free.set()
        self.status = 401
        self._now = 0

    async def __call__(self, token: Token) -> str:
        self.asked.append(token.text)
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0)
        await self.free.wait()
        self._now -= 1
        if token.text.startswith("good"):
            return "ann"
        raise Refused(self.status, "no")


def in_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that runs in an event loop of its own."""

    @functools.wraps(test)
    def run(**given: Any) -> None:
        asyncio.run(test(**given))  # type: ignore[arg-type]

    return run


async def status(trial: Awaitable[str]) -> int:
    """What comes of it: 200 where somebody is known."""
    try:
        await trial
    except Refused as refused:
        return refused.status
    return 200


async def fail(trials: Trials, address: str = "proxy") -> None:
    """As often as makes many."""
    for number in range(FAILURES):
        assert await status(trials.user(address, Token(f"bad-{address}-{number}"))) == 401


async def settle(done: Callable[[], bool]) -> None:
    """Let others go on until something is so."""
    for _ in range(1000):
        if done():
            return
        await asyncio.sleep(0)
    raise AssertionError("it has not come so")


@in_a_loop
async def test_after_many_failures_tokens_of_an_address_are_reviewed_one_by_one() -> None:
    """Before that as many at once as there are threads; the API server is asked no more by who sends more."""
    reviews = Reviews()
    trials = Trials(reviews, Clock(), pause=0)
    many = [status(trials.user("proxy", Token(f"x{number}"))) for number in range(FAILURES)]
    assert set(await asyncio.gather(*many)) == {401}
    assert reviews.most == AT_ONCE
    reviews.most = 0
    more = [status(trials.user("proxy", Token(f"y{number}"))) for number in range(WAITING)]
    assert set(await asyncio.gather(*more)) == {401}
    assert reviews.most == 1


@in_a_loop
async def test_a_good_token_passes_after_those_before_it() -> None:
    """It waits for its turn and is let in; no failure makes it a bad one."""
    reviews = Reviews()
    trials = Trials(reviews, Clock(), pause=0)
    await fail(trials)
    trying = [*(f"z{number}" for number in range(WAITING - 1)), "good"]
    found = await asyncio.gather(*(status(trials.user("proxy", Token(text))) for text in trying))
    assert found == [401] * (WAITING - 1) + [200]
    assert reviews.asked[-WAITING:] == trying
    assert not trials._lanes


@in_a_loop
async def test_other_addresses_are_not_held_up() -> None:
    """While somebody's lane is full, and the one at its head has no answer yet."""
    reviews = Reviews()
    trials = Trials(reviews, Clock(), pause=0)
    await fail(trials)
    reviews.free.clear()
    held = [asyncio.ensure_future(status(trials.user("proxy", Token(f"z{number}")))) for number in range(WAITING)]
    await settle(lambda: "proxy" in trials._lanes and trials._lanes["proxy"].waiting == WAITING)
    with pytest.raises(Refused) as refused:
        await trials.user("proxy", Token("good"))
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    other = asyncio.ensure_future(status(trials.user("10.0.0.9", Token("good"))))
    await settle(lambda: reviews.asked[-1] == "good")
    reviews.free.set()
    assert await other == 200
    assert set(await asyncio.gather(*held)) == {401}


@in_a_loop
async def test_who_goes_away_while_waiting_makes_room() -> None:
    """A connection that ends leaves nothing behind."""
    reviews = Reviews()
    trials = Trials(reviews, Clock(), pause=0)
    await fail(trials)
    reviews.free.clear()
    held = [asyncio.ensure_future(trials.user("proxy", Token(f"z{number}"))) for number in range(3)]
    await settle(lambda: "proxy" in trials._lanes and trials._lanes["proxy"].waiting == 3)
    for one in held:
        one.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    reviews.free.set()
    assert not trials._lanes
    assert await trials.user("proxy", Token("good")) == "ann"


@in_a_loop
async def test_one_old_token_sent_again_and_again_is_one_failure() -> None:
    """A program whose token has run out neither costs reviews nor slows anybody down; later it is looked at anew."""
    reviews, clock = Reviews(), Clock()
    trials = Trials(reviews, clock, pause=0)
    for _ in range(5 * FAILURES):
        assert await status(trials.user("proxy", Token("old"))) == 401
    assert reviews.asked == ["old"]
    assert not trials._attempts.many("proxy")
    clock.now += BAD
    assert await status(trials.user("proxy", Token("old"))) == 401
    assert reviews.asked == ["old"] * 2


@pytest.mark.parametrize("answer", [403, 503])
@in_a_loop
async def test_only_what_is_not_valid_is_remembered(answer: int) -> None:
    """Who is given a right, or finds the API server away, may try again at once with the same token."""
    reviews = Reviews()
    reviews.status = answer
    trials = Trials(reviews, Clock(), pause=0)
    for _ in range(2):
        assert await status(trials.user("proxy", Token("t"))) == answer
    assert reviews.asked == ["t"] * 2


@in_a_loop
async def test_an_api_server_that_is_away_is_nobodys_failure() -> None:
    """Otherwise all would be slowed down when it is back."""
    reviews = Reviews()
    reviews.status = 503
    trials = Trials(reviews, Clock(), pause=0)
    for number in range(2 * FAILURES):
        assert await status(trials.user("proxy", Token(f"t{number}"))) == 503
    assert not trials._attempts.many("proxy")


def test_failures_are_forgotten_in_time() -> None:
    """One every few seconds, and what is remembered has an end, in number and in time."""
    clock = Clock()
    attempts = Attempts(clock, most=2, every=6.0)
    assert not attempts.many("a")
    attempts.fail("a")
    assert not attempts.many("a")
    for _ in range(100):
        attempts.fail("a")
    assert attempts.many("a")
    assert not attempts.many("b")
    clock.now += 3 * 6 + 1
    assert not attempts.many("a")
    for number in range(5 * MOST):
        attempts.fail(f"address {number}")
    assert len(attempts._failed) <= 4 * MOST


def test_bad_tokens_are_kept_as_digests_up_to_a_number() -> None:
    """No text of a token lies in memory for longer than its request."""
    bad = Bad(Clock())
    for number in range(MOST + 5):
        bad.add(Token(f"secret-{number}"))
    assert len(bad._found) <= MOST
    assert Token(f"secret-{MOST + 4}") in bad
    assert Token("secret-0") not in bad
    assert "secret" not in repr(bad._found)
