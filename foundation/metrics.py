"""Metrics: one registry a process (prometheus_client's own), and its text form.

Counters and histograms stand at module level next to the code that counts. Whoever runs
several processes scrapes each; nothing is added up between them here.
"""

import platform
from importlib.metadata import version
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Info, generate_latest

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""Of what `exposition` returns."""

BUILD = Info("linli_build", "Version of the platform and of Python.")
BUILD.info({"version": version("linli"), "python": platform.python_version()})


def exposition() -> bytes:
    """Everything counted in this process, in Prometheus' text format, UTF-8."""
    return generate_latest(REGISTRY)
