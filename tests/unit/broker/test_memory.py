"""The limit on what clients' bytes take: one reads at a time, everyone in turn, nobody for ever."""

from __future__ import annotations

from broker.memory import MIN_ANSWER_BYTES, Memory


class Client:
    """Sends requests of `sizes`, in pieces, as long as it may."""

    def __init__(self, memory: Memory, sizes: list[int]) -> None:
        self.memory, self.sizes = memory, sizes
        self.may_read, self.held = True, 0

    def let_read(self, allowed: bool) -> None:
        self.may_read = allowed

    def send(self, piece: int) -> None:
        """The next bytes come; a whole request is served at once."""
        self.held += piece
        served = bool(self.sizes) and self.held >= self.sizes[0]
        if served:
            self.held -= self.sizes.pop(0)
        self.memory.hold(self, self.held, incomplete=self.held > 0, served=served)


def test_beyond_the_limit_one_is_read_at_a_time_and_all_are_served() -> None:
    memory = Memory(1_000)
    clients = [Client(memory, [900, 900, 900]) for _ in range(10)]
    most = rounds = 0
    while any(client.sizes for client in clients):
        reading = [client for client in clients if client.may_read and client.sizes]
        assert reading, "nobody may read any more"
        for client in reading:
            if client.may_read:
                client.send(100)
                most = max(most, memory.used)
        rounds += 1
        assert rounds < 1_000
    assert most <= 1_000 + 10 * 100 + 900
    assert memory.used == 0
    assert all(client.may_read for client in clients)


def test_a_request_larger_than_the_limit_comes_through() -> None:
    memory = Memory(100)
    client = Client(memory, [10_000])
    for _ in range(100):
        assert client.may_read
        client.send(100)
    assert client.sizes == []


def test_a_client_that_leaves_makes_way_for_the_next() -> None:
    memory = Memory(100)
    gone, waiting = Client(memory, [500]), Client(memory, [500])
    gone.send(200)
    waiting.send(200)
    assert (gone.may_read, waiting.may_read) == (True, False)
    memory.forget(gone)
    assert waiting.may_read
    assert memory.used == 200


def test_a_client_that_pipelines_does_not_keep_its_turn() -> None:
    memory = Memory(100)
    busy, other = Client(memory, [150] * 100), Client(memory, [150])
    busy.send(120)
    other.send(100)
    assert not other.may_read
    busy.send(100)
    assert other.may_read


def test_answers_get_shorter_but_never_nothing() -> None:
    memory = Memory(64 << 20)
    assert memory.answer_bytes(8 << 20) == 8 << 20
    assert memory.answer_bytes(50 << 20) == 32 << 20
    memory.hold(Client(memory, []), 60 << 20, incomplete=False)
    assert memory.answer_bytes(50 << 20) == 2 << 20
    memory.hold(Client(memory, []), 60 << 20, incomplete=False)
    assert memory.answer_bytes(50 << 20) == MIN_ANSWER_BYTES
