"""Who may come in, and how: addresses to listen on, encryption, and when a password is wanted.

A user whose password was set (`CREATE USER ... WITH PASSWORD`) always has to prove it; PostgreSQL itself judges the proof, the
front door only carries it (SCRAM-SHA-256: the password never crosses the wire). A user without one comes in from this machine
only. What comes from another machine has to be encrypted. Called by the supervisor, `engine.wire.server` and
`engine.wire.connection`.
"""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import Any

from tailrace.errors import TailraceError

SALT_OF_OWN = b"password"
"""How the salt of a verifier begins that was made from a user's own password, and not from the engine's."""

_CERTIFICATE = "openssl req -x509 -newkey rsa:3072 -nodes -days 825 -subj /CN=$(hostname) -keyout server.key -out server.crt"


def is_local(peer: Any) -> bool:
    """Whether a socket's peer address is on this machine.

    >>> is_local(("127.0.0.1", 5)), is_local(("::ffff:127.0.0.1", 5, 0, 0)), is_local(("192.0.2.1", 5)), is_local("")
    (True, True, False, True)
    """
    if not isinstance(peer, tuple):
        return True  # a unix socket
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def addresses(host: str) -> list[str]:
    """What to listen on: `host`, and this machine's own address too, by which its programs come in.

    >>> addresses("127.0.0.1"), addresses("0.0.0.0"), addresses("192.0.2.1")
    (['127.0.0.1'], ['0.0.0.0'], ['192.0.2.1', '127.0.0.1'])
    """
    return [host] if is_loopback(host) or host in {"", "0.0.0.0"} else [host, "127.0.0.1"]  # noqa: S104 - compared


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_host(host: str, *, encrypted: bool) -> None:
    """Raise TailraceError where `host` can be reached from other machines, and nothing would be encrypted."""
    if not encrypted and not is_loopback(host):
        raise TailraceError(
            f"refusing to listen on {host} without encryption: other machines can reach it",
            sqlstate="0LP01",
            hint=f"give a certificate, --tls-cert server.crt --tls-key server.key (one for trying: {_CERTIFICATE}), "
            "or use --host 127.0.0.1",
        )


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """What the front door encrypts with; None without a certificate. Raises TailraceError for files that will not do."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise TailraceError(
            "a certificate wants its key, and a key its certificate",
            sqlstate="22023",
            hint="give both: --tls-cert FILE --tls-key FILE",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise TailraceError(
            f"cannot use the certificate {certificate} with the key {key}: {getattr(error, 'strerror', None) or error}",
            sqlstate="58P01" if isinstance(error, FileNotFoundError) else "F0000",
            hint=f"both in PEM format, the key without a pass phrase; a certificate for trying: {_CERTIFICATE}",
        ) from None
    return context


def _no_passphrase() -> str:
    raise ValueError("the key has a pass phrase")


def unencrypted(peer: Any) -> TailraceError:
    """What a client on another machine is told that does not encrypt."""
    return TailraceError(
        f"connections from other machines ({peer[0]}) have to be encrypted",
        sqlstate="28000",
        hint="connect with sslmode=require, or sslmode=verify-full and the certificate's issuer as sslrootcert",
    )


def wrong_password(user: str) -> TailraceError:
    """What a client is told whose proof PostgreSQL has not accepted."""
    return TailraceError(
        f'password authentication failed for user "{user}"',
        sqlstate="28P01",
        hint=f"root sets a new one: ALTER USER {user} WITH PASSWORD '...'",
    )


def no_password(user: str) -> TailraceError:
    """What a client on another machine is told whose user has no password, or is none: the same, so that it learns no names."""
    return TailraceError(
        f'user "{user}" cannot connect from another machine',
        sqlstate="28000",
        detail="there is no such user, or it has no password",
        hint=f"on the engine's machine: CREATE USER {user} WITH PASSWORD '...', or ALTER USER {user} WITH PASSWORD '...'",
    )
