"""ALTER SYSTEM SET: parameters of a RisingWave cluster. Those about licences and storage services change nothing here."""

from __future__ import annotations

from engine.ddl.context import DdlContext, Reply
from engine.ddl.words import Words
from tailrace.errors import PermissionDenied, UnsupportedFeature

_NO_EFFECT = {
    "license_key": "no feature of the embedded engine asks for a licence",
    "backup_storage_url": "`tailrace backup` makes backups here",
    "backup_storage_directory": "`tailrace backup` makes backups here",
    "pause_on_next_bootstrap": "the embedded engine never starts paused",
    "enable_tracing": "the embedded engine writes no traces",
}


def alter_system(context: DdlContext, words: Words) -> Reply:
    """ALTER SYSTEM SET name {TO | =} value | DEFAULT: told to have no effect, or refused by the parameter's name."""
    if not context.is_superuser:
        raise PermissionDenied("permission denied: ALTER SYSTEM is for superusers", hint="connect as root")
    if not words.accept("SET"):
        raise UnsupportedFeature(
            f"ALTER SYSTEM {words.take().upper()}", hint="ALTER SYSTEM SET name TO value"
        )
    name = words.name().folded
    words.accept("TO") or words.accept("=")
    words.rest()
    if name not in _NO_EFFECT:
        raise UnsupportedFeature(
            f"ALTER SYSTEM SET {name}",
            hint="SET the variable in each session, or give it when connecting: options=-c...",
        )
    context.notices.append(f"{name} has no effect: {_NO_EFFECT[name]}")
    return Reply("ALTER_SYSTEM", notices=context.notices)
