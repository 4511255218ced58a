"""JoinGroup to DeleteGroups: consumer groups."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from broker.groups import Joining, NewMember, State
from broker.node import Node
from broker.refusal import ErrorCode, Refusal, answered


def handle_join_group(node: Node, request: Any, client: Any) -> Any:
    """From version 4 on a new member first gets its id, and joins with it."""
    session_s = request.session_timeout.total_seconds()
    rebalance = getattr(request, "rebalance_timeout", request.session_timeout)
    terms = Joining(
        session_s,
        rebalance.total_seconds(),
        request.protocol_type,
        {protocol.name: protocol.metadata for protocol in request.protocols},
        getattr(request, "group_instance_id", None),
        client.id,
        client.host,
    )
    try:
        group = node.group(request.group_id, create=True)
        assert group is not None  # noqa: S101 (made if missing)
        joined = group.join(request.member_id, terms, id_required=request.__version__ >= 4)
    except NewMember as refusal:
        return _not_joined(refusal.code, refusal.member_id)
    except Refusal as refusal:
        return _not_joined(refusal.code, request.member_id)
    return _or(joined, lambda code: _not_joined(code, request.member_id))


def _not_joined(code: ErrorCode, member_id: str) -> dict[str, Any]:
    return {
        "error_code": code,
        "generation_id": -1,
        "protocol_name": "",
        "leader": "",
        "member_id": member_id,
    }


async def _or(answer: asyncio.Future[dict[str, Any]], refused: Any) -> dict[str, Any]:
    try:
        return await answer
    except Refusal as refusal:
        result: dict[str, Any] = refused(refusal.code)
        return result


def handle_sync_group(node: Node, request: Any, _client: Any) -> Any:
    """The member's share of the partitions."""
    try:
        group = node.known_group(request.group_id)
        shares = {share.member_id: share.assignment for share in request.assignments}
        instance_id = getattr(request, "group_instance_id", None)
        synced = group.sync(request.member_id, instance_id, request.generation_id, shares)
    except Refusal as refusal:
        return {"error_code": refusal.code}
    return _or(synced, lambda code: {"error_code": code})


def handle_heartbeat(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Still alive; or told to join again."""
    return answered(
        {},
        lambda: node.known_group(request.group_id).beat(
            request.member_id, getattr(request, "group_instance_id", None), request.generation_id
        ),
    )


def handle_leave_group(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """One member or, from version 3 on, several."""

    def left(member_id: str, instance_id: str | None) -> dict[str, Any]:
        return answered(
            {"member_id": member_id, "group_instance_id": instance_id},
            lambda: node.known_group(request.group_id).leave(member_id, instance_id),
        )

    if not hasattr(request, "members"):
        return left(request.member_id, None)
    return {"members": [left(member.member_id, member.group_instance_id) for member in request.members]}


def handle_describe_groups(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """A group nobody knows is described as dead."""
    return {"groups": [_described(node, group_id) for group_id in request.groups]}


def _described(node: Node, group_id: str) -> dict[str, Any]:
    group = node.groups.get(group_id)
    if group is None:
        state = State.EMPTY if group_id in node.offsets.by_group else State.DEAD
        return {"group_id": group_id, "group_state": state.value}
    return {
        "group_id": group_id,
        "group_state": group.state.value,
        "protocol_type": group.protocol_type,
        "protocol_data": group.protocol or "",
        "members": [
            {
                "member_id": member.id,
                "group_instance_id": member.terms.instance_id,
                "client_id": member.terms.client_id,
                "client_host": f"/{member.terms.client_host}",
                "member_metadata": member.terms.protocols.get(group.protocol or "", b""),
                "member_assignment": member.assignment,
            }
            for member in group.members.values()
        ],
    }


def handle_list_groups(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Groups with members, and those of which only offsets are left."""
    wanted = {state.lower() for state in getattr(request, "states_filter", ())}
    known = {group_id: (group.protocol_type, group.state) for group_id, group in node.groups.items()}
    left = dict.fromkeys(node.offsets.by_group, ("consumer", State.EMPTY))
    return {
        "groups": [
            {"group_id": group_id, "protocol_type": kind, "group_state": state.value}
            for group_id, (kind, state) in sorted({**left, **known}.items())
            if not wanted or state.value.lower() in wanted
        ]
    }


def handle_delete_groups(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Only groups without members."""
    return {
        "results": [
            answered({"group_id": group_id}, partial(_delete, node, group_id))
            for group_id in request.groups_names
        ]
    }


def _delete(node: Node, group_id: str) -> None:
    group = node.groups.get(group_id)
    places = node.offsets.by_group.get(group_id)
    if group is None and places is None:
        raise Refusal(ErrorCode.group_id_not_found)
    if group is not None and group.members:
        raise Refusal(ErrorCode.non_empty_group)
    node.offsets.put(group_id, dict.fromkeys(places or ()))
    if group is not None:
        group.close()
        del node.groups[group_id]
