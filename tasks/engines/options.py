"""What a manifest may say under `options` of an engine."""

from __future__ import annotations

from manifests.errors import InputError
from manifests.faults import nearest
from tasks.engines.protocols import Voicing


def known_options(wanted: Voicing, *known: str) -> None:
    """Raises InputError for an option that the engine does not have, naming the nearest one it has."""
    for name in wanted.options:
        if name not in known:
            raise InputError(
                f"the engine {wanted.engine} has no option `{name}`; {nearest(name, known)}",
                remedy="Mend `engines: {synthesize: …}` in the manifest.",
            )
