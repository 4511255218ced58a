"""What is closed while its turn is still to come is not called, nor whoever has its number by then."""

from __future__ import annotations

import os

from engine.databases.watched import Watched


def test_a_file_taken_away_by_an_earlier_call_is_not_called() -> None:
    watched, called = Watched(), []
    pipes = [os.pipe() for _ in range(2)]

    def close(other: int) -> None:
        called.append(other)
        watched.remove(other)
        os.close(other)

    for (mine, write), (other, _) in zip(pipes, reversed(pipes), strict=True):
        os.write(write, b"x")
        watched.add(mine, lambda other=other: close(other))
    watched.wait(1)
    assert len(called) == 1


def test_nor_is_a_new_file_under_the_old_number() -> None:
    watched, called = Watched(), []
    pipes = [os.pipe() for _ in range(2)]
    fresh = os.pipe()

    def replace(other: int) -> None:
        watched.remove(other)
        os.dup2(fresh[0], other)  # silent, under the number of one that had something to say
        watched.add(other, lambda: called.append(other))

    for (mine, write), (other, _) in zip(pipes, reversed(pipes), strict=True):
        os.write(write, b"x")
        watched.add(mine, lambda other=other: replace(other))
    watched.wait(1)
    assert called == []
