"""Consumer groups: who is in, who has which partitions, who is late (the classic protocol).

Job: the state of each group. A rebalance gathers the members (JoinGroup), lets one of them, the leader, decide,
and hands its decision out (SyncGroup). Members are not kept over a restart: they are told so and join again; their
offsets are (`broker.offsets`). Single-threaded, on the loop's clock. Caller: the handlers of groups.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from broker.refusal import ErrorCode, Refusal

INITIAL_DELAY_S: Final = 0.1
"""How long the first member of an empty group waits for others."""
MIN_SESSION_MS: Final = 1_000
MAX_SESSION_MS: Final = 1_800_000


class State(StrEnum):
    """As DescribeGroups names them."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


@dataclass(slots=True)
class Joining:
    """What a member says when it joins. Times in s."""

    session_s: float
    rebalance_s: float
    protocol_type: str
    protocols: dict[str, bytes]
    instance_id: str | None
    client_id: str
    client_host: str


@dataclass(slots=True)
class Member:
    """One member. `joining` and `syncing` are the answers it waits for."""

    id: str
    terms: Joining
    assignment: bytes = b""
    joining: asyncio.Future[dict[str, Any]] | None = None
    syncing: asyncio.Future[dict[str, Any]] | None = None
    expiry: asyncio.TimerHandle | None = None


class Group:
    """One group. Every method may raise Refusal."""

    def __init__(self, group_id: str) -> None:
        self.id = group_id
        self.state = State.EMPTY
        self.generation = 0
        self.protocol_type = ""
        self.protocol: str | None = None
        self.leader: str | None = None
        self.members: dict[str, Member] = {}
        self._pending: dict[str, asyncio.TimerHandle] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._gathers = False

    @property
    def is_unused(self) -> bool:
        """Whether nobody is in it or about to be: it may be forgotten (offsets are kept elsewhere)."""
        return self.state is State.EMPTY and not self.members and not self._pending

    # joining

    def join(self, member_id: str, terms: Joining, *, id_required: bool) -> asyncio.Future[dict[str, Any]]:
        """Be part of the next generation; the answer comes when everybody has joined or is late."""
        self._check_terms(terms)
        known = (
            self._by_instance(terms.instance_id)
            if not member_id
            else self._known_or_pending(member_id, terms)
        )
        if not member_id:
            member_id = f"{terms.instance_id or terms.client_id or 'member'}-{uuid.uuid4()}"
            if known is not None:
                known = self._rename(known, member_id)
            elif id_required and terms.instance_id is None:
                self._expect(member_id, terms.session_s)
                raise NewMember(member_id)
        member = known or self._admit(member_id, terms)
        changed = known is None or member.terms.protocols != terms.protocols
        member.terms = terms
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if self.state is State.PREPARING:
            member.joining = _replaced(member.joining, answer)
        elif not changed and self._may_stay(member):
            answer.set_result(self._joined(member))
        else:
            member.joining = _replaced(member.joining, answer)
            self._prepare()
        self._touch(member)
        self._complete_join_if_all()
        return answer

    def _may_stay(self, member: Member) -> bool:
        """Whether a member that joins again unchanged gets the generation there is; a leader asks for a new one."""
        return self.state is State.COMPLETING or (self.state is State.STABLE and member.id != self.leader)

    def _check_terms(self, terms: Joining) -> None:
        if not MIN_SESSION_MS <= terms.session_s * 1000 <= MAX_SESSION_MS:
            raise Refusal(ErrorCode.invalid_session_timeout)
        if not terms.protocols or not terms.protocol_type:
            raise Refusal(ErrorCode.inconsistent_group_protocol)
        if self.members and (
            terms.protocol_type != self.protocol_type or not (self._common() & set(terms.protocols))
        ):
            raise Refusal(ErrorCode.inconsistent_group_protocol)

    def _known_or_pending(self, member_id: str, terms: Joining) -> Member | None:
        pending = self._pending.pop(member_id, None)
        if pending is not None:
            pending.cancel()
            return None
        return self.member(member_id, terms.instance_id)

    def _expect(self, member_id: str, session_s: float) -> None:
        late = asyncio.get_running_loop().call_later(session_s, self._never_came, member_id)
        self._pending[member_id] = late

    def _never_came(self, member_id: str) -> None:
        del self._pending[member_id]
        self._complete_join_if_all()

    def _admit(self, member_id: str, terms: Joining) -> Member:
        self.protocol_type = terms.protocol_type
        member = self.members[member_id] = Member(member_id, terms)
        self.leader = self.leader or member_id
        return member

    def _rename(self, member: Member, member_id: str) -> Member:
        """A static member came back under a new id: the old one is fenced."""
        for waiting in (member.joining, member.syncing):
            _refuse(waiting, ErrorCode.fenced_instance_id)
        del self.members[member.id]
        if self.leader == member.id:
            self.leader = member_id
        if member.expiry is not None:
            member.expiry.cancel()
        renamed = self.members[member_id] = Member(member_id, member.terms, member.assignment)
        return renamed

    def _common(self) -> set[str]:
        return set.intersection(*(set(member.terms.protocols) for member in self.members.values()))

    def _prepare(self) -> None:
        """Begin a rebalance: everybody has to join again."""
        self._gathers = self.state is State.EMPTY
        self._refuse_syncing(ErrorCode.rebalance_in_progress)
        self.state = State.PREPARING
        delay_s = (
            INITIAL_DELAY_S
            if self._gathers
            else max(member.terms.rebalance_s for member in self.members.values())
        )
        self._schedule(delay_s, self._complete_join)

    def _schedule(self, delay_s: float, call: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, call)

    def _complete_join_if_all(self) -> None:
        if self.state is not State.PREPARING or self._gathers:
            return
        if all(member.joining is not None for member in self.members.values()) and not self._pending:
            self._complete_join()

    def _complete_join(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for member in list(self.members.values()):
            if member.joining is None and member.terms.instance_id is None:
                self._drop(member)
        if not self.members:
            self._empty()
            return
        self.generation += 1
        self.state = State.COMPLETING
        self.leader = self.leader if self.leader in self.members else next(iter(self.members))
        self.protocol = self._vote()
        for member in self.members.values():
            member.assignment = b""
            if member.joining is not None:
                _answer(member.joining, self._joined(member))
                member.joining = None
            self._touch(member)
        longest_s = max(member.terms.rebalance_s for member in self.members.values())
        self._schedule(longest_s, self._sync_late)

    def _vote(self) -> str:
        common = self._common()
        votes = [
            next(name for name in member.terms.protocols if name in common)
            for member in self.members.values()
        ]
        return max(sorted(common), key=votes.count)

    def _joined(self, member: Member) -> dict[str, Any]:
        everybody = self.members.values() if member.id == self.leader else ()
        return {
            "generation_id": self.generation,
            "protocol_type": self.protocol_type,
            "protocol_name": self.protocol or "",
            "leader": self.leader,
            "member_id": member.id,
            "members": [
                {
                    "member_id": other.id,
                    "group_instance_id": other.terms.instance_id,
                    "metadata": other.terms.protocols[self.protocol or ""],
                }
                for other in everybody
            ],
        }

    # syncing

    def sync(
        self, member_id: str, instance_id: str | None, generation: int, assignments: dict[str, bytes]
    ) -> asyncio.Future[dict[str, Any]]:
        """The member's share, as soon as the leader has decided."""
        member = self.member(member_id, instance_id)
        if generation != self.generation:
            raise Refusal(ErrorCode.illegal_generation)
        if self.state is State.PREPARING:
            raise Refusal(ErrorCode.rebalance_in_progress)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if self.state is State.STABLE:
            answer.set_result(self._synced(member))
            return answer
        member.syncing = _replaced(member.syncing, answer)
        self._touch(member)
        if member_id == self.leader:
            self.state = State.STABLE
            if self._timer is not None:
                self._timer.cancel()
            for other in self.members.values():
                other.assignment = assignments.get(other.id, b"")
                if other.syncing is not None:
                    _answer(other.syncing, self._synced(other))
                    other.syncing = None
                self._touch(other)
        return answer

    def _synced(self, member: Member) -> dict[str, Any]:
        return {
            "protocol_type": self.protocol_type,
            "protocol_name": self.protocol,
            "assignment": member.assignment,
        }

    def _sync_late(self) -> None:
        """The leader, or another, never asked for its share: it is out."""
        for member in list(self.members.values()):
            if member.syncing is None:
                self._drop(member)
        if self.members:
            self._prepare()
        else:
            self._empty()

    # staying and leaving

    def member(self, member_id: str, instance_id: str | None) -> Member:
        """The member of that id; raises Refusal: unknown, or replaced by another of the same instance."""
        holder = self._by_instance(instance_id)
        if holder is not None and holder.id != member_id:
            raise Refusal(ErrorCode.fenced_instance_id)
        member = self.members.get(member_id)
        if member is None:
            raise Refusal(ErrorCode.unknown_member_id)
        return member

    def _by_instance(self, instance_id: str | None) -> Member | None:
        if instance_id is None:
            return None
        return next(
            (member for member in self.members.values() if member.terms.instance_id == instance_id), None
        )

    def beat(self, member_id: str, instance_id: str | None, generation: int) -> None:
        """The member is alive; raises Refusal when it has to join again."""
        member = self.member(member_id, instance_id)
        if generation != self.generation:
            raise Refusal(ErrorCode.illegal_generation)
        self._touch(member)
        if self.state is State.PREPARING:
            raise Refusal(ErrorCode.rebalance_in_progress)

    def check_commit(self, member_id: str, instance_id: str | None, generation: int) -> None:
        """Whether offsets may be committed; without a generation only while nobody is in."""
        if generation < 0 and not member_id and instance_id is None:
            if self.members:
                raise Refusal(ErrorCode.unknown_member_id)
            return
        member = self.member(member_id, instance_id)
        if generation != self.generation:
            raise Refusal(ErrorCode.illegal_generation)
        if self.state is State.COMPLETING:
            raise Refusal(ErrorCode.rebalance_in_progress)
        self._touch(member)

    def leave(self, member_id: str, instance_id: str | None) -> None:
        """The member goes; the others share its partitions out."""
        if not member_id and (holder := self._by_instance(instance_id)) is not None:
            member_id = holder.id
        member = self.member(member_id, instance_id)
        self._remove(member)

    def _remove(self, member: Member) -> None:
        self._drop(member)
        if not self.members:
            self._empty()
        elif self.state is State.PREPARING:
            self._complete_join_if_all()
        else:
            self._prepare()

    def _drop(self, member: Member) -> None:
        self.members.pop(member.id, None)
        if member.expiry is not None:
            member.expiry.cancel()
        for waiting in (member.joining, member.syncing):
            _refuse(waiting, ErrorCode.unknown_member_id)
        if self.leader == member.id:
            self.leader = next(iter(self.members), None)

    def _empty(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.state, self.leader, self.protocol = State.EMPTY, None, None
        self.generation += 1

    def _touch(self, member: Member) -> None:
        if member.expiry is not None:
            member.expiry.cancel()
        loop = asyncio.get_running_loop()
        member.expiry = loop.call_later(member.terms.session_s, self._expire, member)

    def _expire(self, member: Member) -> None:
        """Not heard of for its session time; one that waits for an answer of ours is not silent."""
        if member.joining is not None or member.syncing is not None:
            self._touch(member)
        elif self.members.get(member.id) is member:
            self._remove(member)

    def _refuse_syncing(self, code: ErrorCode) -> None:
        for member in self.members.values():
            _refuse(member.syncing, code)
            member.syncing = None

    def close(self) -> None:
        """The group is deleted, or the broker stops."""
        for member in list(self.members.values()):
            self._drop(member)
        for timer in (self._timer, *self._pending.values()):
            if timer is not None:
                timer.cancel()
        self.state = State.DEAD


class NewMember(Refusal):
    """A new member gets its id first and joins with it."""

    def __init__(self, member_id: str) -> None:
        super().__init__(ErrorCode.member_id_required)
        self.member_id = member_id


def _answer(waiting: asyncio.Future[dict[str, Any]], answer: dict[str, Any]) -> None:
    if not waiting.done():  # its connection may have gone
        waiting.set_result(answer)


def _refuse(waiting: asyncio.Future[dict[str, Any]] | None, code: ErrorCode) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_exception(Refusal(code))


def _replaced(
    old: asyncio.Future[dict[str, Any]] | None, new: asyncio.Future[dict[str, Any]]
) -> asyncio.Future[dict[str, Any]]:
    """A member asked twice (it reconnected): the first question is void."""
    _refuse(old, ErrorCode.unknown_member_id)
    return new
