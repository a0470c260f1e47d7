"""No call to the outside that nobody asked for, and no noise: the environment that libraries read when they load.

Prefect, pyannote.audio, onnxruntime and the Hugging Face libraries report home or look for newer files unless told
otherwise, and they look at the environment once, while they are imported. So `settle()` runs before any of them is;
whatever a user has set stays as it is.
"""

from __future__ import annotations

import os

QUIET = {
    # nothing reports home
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PYANNOTE_METRICS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime, which pyannote.audio loads, calls Microsoft when it is loaded
    # nothing is downloaded, or asked for, behind the user's back
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    # nothing draws progress bars or advice over our own output
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # idle OpenMP threads sleep instead of spinning: several stages share the cores
    "OMP_WAIT_POLICY": "PASSIVE",
    # so would OpenBLAS's, on products so small that one core is done before the others are woken
    "OPENBLAS_NUM_THREADS": "1",
}
"""Variable to the value it gets where it is not set."""


def settle() -> None:
    """Set each variable of `QUIET` that is not set. Cheap, and harmless to repeat."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
