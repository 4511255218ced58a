"""A consumer group's rules, without a connection."""

from __future__ import annotations

import asyncio

import pytest

from broker.groups import Group, Joining, NewMember, State

_LONG_S = 300.0


def _terms(protocols: dict[str, bytes], session_s: float = 30.0) -> Joining:
    return Joining(session_s, _LONG_S, "consumer", protocols, None, "client", "127.0.0.1")


def _new_id(group: Group, terms: Joining) -> str:
    with pytest.raises(NewMember) as new:
        group.join("", terms, id_required=True)
    return new.value.member_id


def test_one_that_asked_for_an_id_and_never_came_holds_nobody_up_beyond_its_session() -> None:
    async def life() -> None:
        group = Group("g")
        terms = _terms({"range": b"1"})
        member = _new_id(group, terms)
        joined = await group.join(member, terms, id_required=True)
        await group.sync(member, None, joined["generation_id"], {member: b"all"})
        _new_id(group, _terms({"range": b"1"}, session_s=1.0))
        again = group.join(member, _terms({"range": b"2"}), id_required=True)
        assert group.state is State.PREPARING
        assert not again.done(), "the other may still come"
        joined = await asyncio.wait_for(again, 20)
        assert joined["generation_id"] == 2
        group.close()

    asyncio.run(life())
