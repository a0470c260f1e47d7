"""Whether a part of the server or a worker does its work; exits with 0 or says what is wrong and exits with 1.

    healthy.py url http://127.0.0.1:4200/api/ready     the answer is 200: the API reaches its database, a worker polls
    healthy.py services                                the services of this host have shown signs of life in Redis

Health checks of compose.yaml and Kubernetes call it. It needs no more than the image of the server has.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import urllib.error
import urllib.request

LIMIT_S = 4.0
"""How long an answer may take."""

SILENT_S = 30.0
"""How long the services may say nothing; they say something every two seconds."""


def answers(url: str) -> str:
    """What is wrong with an address; empty where it answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:  # noqa: S310  (http, as `main` checks)
            return "" if answer.status == 200 else f"{url}: status {answer.status}"
    except (urllib.error.URLError, OSError) as error:
        return f"{url}: {error}"


def services_live() -> str:
    """What is wrong with the services of this host; empty where they work.

    They keep a set of their workers, `host#process`, each with the time at which it last showed itself.
    """
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        redis = Redis.from_url(
            os.environ["PREFECT_SERVER_DOCKET_URL"], socket_timeout=LIMIT_S, socket_connect_timeout=LIMIT_S
        )
        seen = redis.zrangebyscore("prefect:workers", time.time() - SILENT_S, "+inf")
    except RedisError as error:
        return f"Redis: {error}"
    here = f"{socket.gethostname()}#".encode()
    return "" if any(name.startswith(here) for name in seen) else f"no service of this host in {SILENT_S:.0f} s"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["url", url] if url.startswith("http://"):
            wrong = answers(url)
        case ["services"]:
            wrong = services_live()
        case _:
            wrong = "usage: healthy.py url http://HOST:PORT/PATH | healthy.py services"
    if wrong:
        sys.stderr.write(f"{wrong}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
