"""DescribeConfigs, AlterConfigs and IncrementalAlterConfigs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from broker.node import NODE_ID, Node
from broker.refusal import ErrorCode, Refusal, answered
from broker.topic_config import SETTINGS, checked
from broker.topics import Topic

_TOPIC, _BROKER = 2, 4
_SET_ON_TOPIC, _READ_ONLY, _DEFAULT = 1, 4, 5
_SET, _DELETE, _APPEND, _SUBTRACT = range(4)
_LIST: Final = 7


def handle_describe_configs(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Of topics, and of this node."""
    return {"results": [_described(node, resource) for resource in request.resources]}


def _described(node: Node, resource: Any) -> dict[str, Any]:
    def describe() -> dict[str, Any]:
        if resource.resource_type == _BROKER and resource.resource_name in ("", str(NODE_ID)):
            entries = _of_node(node)
        else:
            entries = _of_topic(_topic(node, resource))
        wanted = resource.configuration_keys
        return {"configs": [entry for entry in entries if not wanted or entry["name"] in wanted]}

    return answered(_named(resource), describe)


def _named(resource: Any) -> dict[str, Any]:
    return {"resource_type": resource.resource_type, "resource_name": resource.resource_name}


def _topic(node: Node, resource: Any) -> Topic:
    if resource.resource_type != _TOPIC:
        raise Refusal(ErrorCode.invalid_request, "settings of topics, and of this node for reading")
    return node.topics.topic(resource.resource_name)


def _of_topic(topic: Topic) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "value": value,
            "config_source": _SET_ON_TOPIC if name in topic.config.overrides else _DEFAULT,
            "is_default": name not in topic.config.overrides,
            "config_type": SETTINGS[name].kind,
            "documentation": SETTINGS[name].meaning,
        }
        for name, value in topic.config.values.items()
    ]


def _of_node(node: Node) -> list[dict[str, Any]]:
    options = node.options
    values = {
        "auto.create.topics.enable": str(options.auto_create).lower(),
        "broker.id": str(NODE_ID),
        "log.flush.interval.ms": str(options.flush_ms),
        "num.partitions": str(options.default_partitions),
        "socket.request.max.bytes": str(options.max_request_bytes),
    }
    return [
        {"name": name, "value": value, "read_only": True, "config_source": _READ_ONLY, "config_type": 2}
        for name, value in values.items()
    ]


def handle_alter_configs(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """The old way: what is not named goes back to its default."""
    return _altered(node, request, lambda _old, entries: {e.name: checked(e.name, e.value) for e in entries})


def handle_incremental_alter_configs(node: Node, request: Any, _client: Any) -> dict[str, Any]:
    """Setting by setting."""
    return _altered(node, request, _changed)


def _altered(
    node: Node, request: Any, change: Callable[[dict[str, str], Any], dict[str, str]]
) -> dict[str, Any]:
    def alter(resource: Any) -> None:
        topic = _topic(node, resource)
        overrides = change(dict(topic.config.overrides), resource.configs)
        if not request.validate_only:
            topic.configure(overrides)

    return {
        "responses": [answered(_named(resource), partial(alter, resource)) for resource in request.resources]
    }


def _changed(overrides: dict[str, str], entries: Any) -> dict[str, str]:
    for entry in entries:
        name = entry.name
        if entry.config_operation == _SET:
            overrides[name] = checked(name, entry.value)
        elif entry.config_operation == _DELETE:
            checked(name, SETTINGS[name].default if name in SETTINGS else None)
            overrides.pop(name, None)
        elif entry.config_operation in (_APPEND, _SUBTRACT):
            overrides[name] = checked(name, _edited_list(name, overrides, entry))
        else:
            raise Refusal(ErrorCode.invalid_request, f"operation {entry.config_operation} is not known")
    return overrides


def _edited_list(name: str, overrides: dict[str, str], entry: Any) -> str:
    if name not in SETTINGS or SETTINGS[name].kind != _LIST:
        raise Refusal(ErrorCode.invalid_config, f"{name} is not a list")
    items = overrides.get(name, SETTINGS[name].default).split(",")
    given = (entry.value or "").split(",")
    if entry.config_operation == _APPEND:
        return ",".join([*items, *(item for item in given if item not in items)])
    return ",".join(item for item in items if item not in given)
