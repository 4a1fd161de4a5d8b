"""Who watches: each page once for all of them, news when there are any, an end that is an end."""

from __future__ import annotations

import asyncio
import json

from asking import Client, Watch
from world import World, served

from hetero.testing.fake import fake_node
from hetero.web.app import PENDING, Kitchen
from hetero.web.documents import Document, document, refusal
from hetero.web.hub import MOST, Hub
from hetero.web.records import Nodes


def world() -> World:
    """One node."""
    made = World()
    made.node(fake_node("a", 1))
    return made


def test_what_changes_is_sent_and_nothing_else() -> None:
    """The page at once, again when it says something new; its age alone is nothing new."""
    there = world()
    with served(there.state) as client:
        watch = Watch(client, "/api/v1/nodes")
        assert watch.document()["total"] == 1
        there.now += 1
        there.node(fake_node("b", 1))
        assert [one["name"] for one in watch.document()["items"]] == ["a", "b"]
        watch.close()


def test_silence_has_signs_of_life() -> None:
    """With the age of what is shown."""
    there = world()
    with served(there.state, beat=0.03) as client:
        watch = Watch(client, "/api/v1/overview")
        watch.document()
        beat = watch.until(lambda part: part.startswith(":"))
        assert json.loads(beat.split("event: freshness\ndata: ")[1])["nodes"] == 1
        watch.close()


def test_a_page_that_goes_is_told_and_comes_back() -> None:
    """A node that is deleted while somebody looks at it."""
    there = world()
    with served(there.state) as client:
        assert client.get("/api/v1/nodes/b", accept="text/event-stream").status == 404
        watch = Watch(client, "/api/v1/nodes/a")
        watch.document()
        there.state.cluster.nodes.replace([])
        assert "no node a" in watch.until(lambda part: part.startswith("event: problem"))
        there.node(fake_node("a", 2))
        assert len(watch.document()["cards"]) == 2
        watch.close()


def test_many_watch_for_the_price_of_one() -> None:
    """As many as may watch have a page made once for each change."""
    there = world()
    made: list[int] = []
    with served(there.state) as client:
        kitchen = Kitchen(there.state, lambda _: made.append(1))
        hub = Hub(kitchen.stamp, tick=0.01)
        first = client.run(kitchen.document(lambda scene: Nodes(freshness=scene.freshness, total=0, items=())))
        made.clear()

        async def make() -> object:
            return await kitchen.document(lambda s: Nodes(freshness=s.freshness, total=len(s.shape.names), items=()))

        streams = [hub.watch("x", first, make) for _ in range(MOST)]
        for stream in streams:
            client.run(anext(stream))
        there.node(fake_node("b", 1))
        parts = [client.run(anext(stream)) for stream in streams]
        assert len(set(parts)) == 1
        assert len(made) <= 3
        for stream in streams:
            client.run(stream.aclose())
        assert (hub.watchers, MOST) == (0, 1000)
        hub.close()
        kitchen.close()


def test_there_is_an_end_to_how_many_watch() -> None:
    """One more is told to come again; who goes makes room."""
    there = world()
    kitchen = Kitchen(there.state)
    with served(there.state, hub=Hub(kitchen.stamp, tick=0.01, most=20)) as client:
        watches = [Watch(client, "/api/v1/nodes") for _ in range(20)]
        refused = client.get("/api/v1/nodes", accept="text/event-stream")
        assert (refused.status, refused.headers["retry-after"]) == (429, "30")
        assert client.get("/api/v1/nodes").status == 200
        watches.pop().close()
        watches.append(Watch(client, "/api/v1/nodes"))
        assert watches[-1].status == 200
        for watch in watches:
            watch.close()
    kitchen.close()


def test_there_is_an_end_to_how_many_pages_are_kept() -> None:
    """Each is kept as it was sent last; pages that are watched already have room for more who watch."""
    there = world()
    kitchen = Kitchen(there.state)
    with served(there.state, hub=Hub(kitchen.stamp, tick=0.01, most_pages=2)) as client:
        watches = [Watch(client, f"/api/v1/nodes?offset={number % 2}") for number in range(4)]
        assert client.get("/api/v1/nodes?offset=3", accept="text/event-stream").status == 429
        for watch in watches:
            watch.close()
    kitchen.close()


def test_whoever_watches_is_not_forgotten_while_too_much_is_asked() -> None:
    """Nothing new is seen for as long as that, and everything afterwards."""
    there = world()
    kitchen = Kitchen(there.state)
    with served(there.state, hub=Hub(kitchen.stamp, tick=0.01)) as client:
        watch = Watch(client, "/api/v1/nodes")
        watch.document()
        kitchen._pending, quiet = PENDING, kitchen._pending
        client.run(asyncio.sleep(0.1))
        kitchen._pending = quiet
        there.node(fake_node("b", 1))
        assert watch.document()["total"] == 2
        watch.close()
    kitchen.close()


def test_what_could_not_be_made_is_tried_again_soon() -> None:
    """Also where nothing changes any more."""
    made = iter([refusal(503, "too much"), Document(b"{}", "new")])

    async def make() -> Document:
        return next(made)

    async def stamp() -> int:
        return 0

    async def watched() -> list[bytes]:
        hub = Hub(stamp, tick=0.01)
        stream = hub.watch("x", Document(b"[]", "old"), make)
        parts = [await asyncio.wait_for(anext(stream), 5) for _ in range(3)]
        hub.close()
        await stream.aclose()
        return parts

    assert b"data: {}" in asyncio.run(watched())[2]


def test_closing_ends_every_stream() -> None:
    """A process that ends keeps nobody waiting."""
    there = world()
    kitchen = Kitchen(there.state)
    hub = Hub(kitchen.stamp, tick=0.01)
    with served(there.state, hub=hub) as client:
        watch = Watch(client, "/api/v1/nodes")
        watch.document()
        client.loop.call_soon(hub.close)
        assert watch.next() == ""
    kitchen.close()


def test_a_reader_that_stands_still_misses_states_and_gets_the_newest() -> None:
    """Nothing is piled up for it."""
    there = world()
    with served(there.state) as client:
        slow, quick = (Watch(client, "/api/v1/nodes") for _ in range(2))
        quick.document()
        for name in "bcdef":
            there.node(fake_node(name, 1))
            quick.document()
        # What was on its way already, and then what is newest.
        assert [slow.document()["total"] for _ in range(3)] == [1, 2, quick_total(client)]
        slow.close()
        quick.close()


def quick_total(client: Client) -> int:
    """As it is now."""
    return int(client.get("/api/v1/nodes").json()["total"])


def test_a_documents_age_is_not_what_it_says() -> None:
    """Its digest is the same a moment later, and another when a figure is."""
    there = world()
    scene = there.state.scene()
    there.now += 7
    later = there.state.scene()
    first, second = (document(Nodes(freshness=one.freshness, total=1, items=())) for one in (scene, later))
    assert first.digest == second.digest
    assert first.body != second.body
    assert document(Nodes(freshness=scene.freshness, total=2, items=())).digest != first.digest
