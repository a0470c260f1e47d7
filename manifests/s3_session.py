"""What an S3 server's answers are read with: botocore's own session, but for the times in its listings.

A listing has the time of change of every object. botocore reads it with a parser that takes dates in whatever form
people write them, and spends most of the time of a listing on that; S3 writes ISO 8601.
"""

from __future__ import annotations

import os
from datetime import datetime
from functools import lru_cache
from typing import Any


def session() -> Any:
    """aiobotocore's session for this process and for the keys that its environment holds now."""
    return _session(tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))))


@lru_cache(maxsize=4)
def _session(environment: tuple[tuple[str, str], ...]) -> Any:
    """`environment` makes that others than before be read."""
    from aiobotocore.session import AioSession

    made = AioSession()
    made.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=read_time)
    return made


def read_time(written: Any) -> datetime:
    """A time as S3 writes it, or in any form that botocore knows. Raises ValueError for what is none."""
    if isinstance(written, str) and written[4:5] == "-":
        try:
            read = datetime.fromisoformat(written)
        except ValueError:
            read = None
        if read is not None and read.tzinfo is not None:
            return read
    from botocore.utils import parse_timestamp

    return parse_timestamp(written)
