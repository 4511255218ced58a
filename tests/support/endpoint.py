"""An HTTP endpoint that keeps what is posted to it and answers as it is told: what a webhook's receiver is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Post:
    """One request; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: str


Answer = tuple[int, dict[str, str], str]
"""Status, headers and body."""
OK: Answer = (204, {}, "")


@dataclass(slots=True)
class Endpoint:
    """`posts` are all requests, `taken` those answered by 2xx; `answer` decides what each is told."""

    url: str
    posts: list[Post] = field(default_factory=list)
    taken: list[Post] = field(default_factory=list)
    answer: Callable[[Post], Answer] = lambda _post: OK

    def bodies(self) -> list[str]:
        """What has been taken, in order."""
        return [post.body for post in self.taken]


@contextmanager
def endpoint(port: int = 0) -> Iterator[Endpoint]:
    """Listens on 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            post = Post(self.path, headers, self.rfile.read(length).decode())
            found.posts.append(post)
            status, more, body = found.answer(post)
            if 200 <= status < 300:
                found.taken.append(post)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        found = Endpoint(f"http://127.0.0.1:{server.server_address[1]}/hook")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join(10)
