"""No usage statistics: what heatprop imports looks up no host."""

from __future__ import annotations

import sys


def refuse_telemetry() -> None:
    """Let OpenVINO and NNCF find no package for their usage statistics; call it before either is imported.

    Importing OpenVINO would else start a process that looks up a host of an analytics service. Both libraries do
    without that package.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
