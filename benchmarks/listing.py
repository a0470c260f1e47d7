"""What it costs to learn what lies at an S3 address: every plan and every run of a course whose outputs go to one does.

    .venv/bin/python benchmarks/listing.py [--objects 150000]

A server of a process of its own answers pages of a thousand names at once, so that what is measured is ours: the
processor seconds of this process, which are nearly all of those of the clock where the server is near.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import parse_qsl, urlparse

PAGE = 1_000

OBJECT = (
    "<Contents><Key>out/library/lesson-{lesson:05d}.es.{kind}</Key><LastModified>2026-11-27T01:02:03.000Z</LastModified>"
    "<ETag>&quot;{number:032x}&quot;</ETag><Size>{number}</Size><StorageClass>STANDARD</StorageClass></Contents>"
)

ANSWER = (
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Name>bucket</Name><MaxKeys>1000</MaxKeys><IsTruncated>{more}</IsTruncated>{at}{objects}</ListBucketResult>"
)


def serve(objects: int, tell: Connection) -> None:
    """Answer listings of a bucket with so many objects; tells the port."""

    class Listing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = dict(parse_qsl(urlparse(self.path).query))
            first = int(asked.get("continuation-token", "0"))
            last = min(first + PAGE, objects) if asked.get("prefix", "").startswith("out/library/") else first
            kinds = ("mp4", "srt", "dub.json")
            names = (OBJECT.format(lesson=at // 3, kind=kinds[at % 3], number=at) for at in range(first, last))
            more = first < last < objects
            token = f"<NextContinuationToken>{last}</NextContinuationToken>" if more else ""
            body = ANSWER.format(more=str(more).lower(), at=token, objects="".join(names)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            """There is no object of this name."""
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listing)
    tell.send(server.server_port)
    server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=150_000)
    asked = parser.parse_args()
    told, tell = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.Process(target=serve, args=(asked.objects, tell), daemon=True)
    server.start()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{told.recv()}", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
    from manifests.remote import Remote

    remote = Remote("s3://bucket/out")
    list(remote.tree("nothing"))  # loads what talks to a server
    started, used = time.monotonic(), time.process_time()
    found = sum(1 for _ in remote.tree("library"))
    wall, used = time.monotonic() - started, time.process_time() - used
    print(f"objects {found}  wall_s {wall:.2f}  cpu_s {used:.2f}  us_each {used / found * 1e6:.0f}")
    server.terminate()


if __name__ == "__main__":
    main()
