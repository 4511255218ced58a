"""How the front door proves to PostgreSQL that a session may be a user's: by the engine's own password, or by the client's.

One SCRAM-SHA-256 exchange each (RFC 5802, RFC 7677), as messages in and answers out; sockets belong to the callers. `OwnProof`
knows the password of all users without one of their own. It notices by the salt (see `access.SALT_OF_OWN`) when the user has
one, and then `ClientProof` carries what PostgreSQL and the client have to say to each other. Called by `engine.wire.upstream`.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Awaitable, Callable
from typing import Protocol

import scramp

from engine.wire import protocol
from engine.wire.access import SALT_OF_OWN, no_password, wrong_password
from tailrace.errors import TailraceError

MECHANISM = "SCRAM-SHA-256"
OK, SASL, CONTINUE, FINAL = 0, 10, 11, 12


class OwnPasswordWanted(Exception):  # noqa: N818 (not an error: the client has to be asked)
    """The user has a password of its own."""


class Proof(Protocol):
    """Answers PostgreSQL's authentication messages."""

    async def answer(self, code: int, body: bytes) -> bytes | None:
        """The body of the message to answer with, None if there is none to give. Raises TailraceError, OwnPasswordWanted."""

    def refused(self, user: str) -> TailraceError:
        """What the client is told when PostgreSQL does not accept the proof."""


class OwnProof:
    """By the engine's own password. PostgreSQL has to prove that it knows the password too."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._client = scramp.ScramClient([MECHANISM], user, password)
        self._server_proved = False

    async def answer(self, code: int, body: bytes) -> bytes | None:
        text = body.decode(errors="replace")
        try:
            if code == SASL and MECHANISM in text.split("\x00"):
                first: bytes = self._client.get_client_first().encode()
                return MECHANISM.encode() + b"\x00" + struct.pack("!i", len(first)) + first
            if code == CONTINUE:
                if salt_of(text).startswith(SALT_OF_OWN):
                    raise OwnPasswordWanted
                self._client.set_server_first(text)
                final: bytes = self._client.get_client_final().encode()
                return final
            if code == FINAL:
                self._client.set_server_final(text)
                self._server_proved = True
            elif code != OK or not self._server_proved:
                raise _no_scram(f"authentication method {code}")
        except scramp.ScramException as error:
            raise _no_scram(f"a SCRAM exchange that failed ({error})") from None
        return None

    def refused(self, user: str) -> TailraceError:
        return TailraceError(
            f'role "{user}" does not exist',
            sqlstate="28000",
            hint="connect as root, or as dashboard for read-only access",
        )


class RemoteProof(OwnProof):
    """For a client on another machine: a user without a password of its own does not come in."""

    async def answer(self, code: int, body: bytes) -> bytes | None:
        answer = await super().answer(code, body)
        if code == CONTINUE:
            raise self.refused(self._user)
        return answer

    def refused(self, user: str) -> TailraceError:
        return no_password(user)


class ClientProof:
    """By the client's own password. `ask` sends the client a message and awaits its answer; `tell` only sends."""

    def __init__(self, ask: Callable[[bytes], Awaitable[bytes]], tell: Callable[[bytes], None]) -> None:
        self._ask = ask
        self._tell = tell
        self.begun = False
        """The client is in the middle of an exchange, which cannot be begun anew with another session of PostgreSQL's."""

    async def answer(self, code: int, body: bytes) -> bytes | None:
        message = protocol.encode(b"R", struct.pack("!i", code) + body)
        if code in {SASL, CONTINUE}:
            self.begun = True
            return await self._ask(message)
        if code == FINAL:
            self._tell(message)
        elif code != OK:
            raise _no_scram(f"authentication method {code}")
        return None

    def refused(self, user: str) -> TailraceError:
        return wrong_password(user)


def salt_of(server_first: str) -> bytes:
    """The salt in SCRAM's first message of a server; empty where there is none.

    >>> salt_of("r=abc,s=cGFzc3dvcmQx,i=4096")
    b'password1'
    """
    for part in server_first.split(","):
        if part.startswith("s="):
            try:
                return base64.b64decode(part[2:], validate=True)
            except binascii.Error:
                return b""
    return b""


def _no_scram(offered: str) -> TailraceError:
    return TailraceError(
        f"PostgreSQL asked for {offered} where SCRAM-SHA-256 was wanted",
        sqlstate="28000",
        hint="set password_encryption and pg_hba.conf of the server to scram-sha-256",
    )
