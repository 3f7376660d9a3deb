"""The command `heatprop`, and `python -m heatprop`: signals are cared for before anything else is imported."""

from __future__ import annotations

# What `signal` wraps: a part of the interpreter, so that nothing is loaded before signals wait.
import _signal  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def command() -> NoReturn:
    """Run the command line of this process and end the process with its exit code."""
    _install()
    import os  # noqa: PLC0415 - these, and what they import, are loaded when signals are cared for
    import signal  # noqa: PLC0415
    import sys  # noqa: PLC0415
    from contextlib import suppress  # noqa: PLC0415

    from heatprop.cli import main  # noqa: PLC0415
    from heatprop.interrupts import pending  # noqa: PLC0415

    code = main()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if pending() is not None:
        # A thread that waits for data which does not come, or for a library, is not waited for.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _install() -> None:
    """Install the handlers; a signal that comes meanwhile waits for them, where the system can let it."""
    mask = getattr(_signal, "pthread_sigmask", None)
    before = mask and mask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from heatprop.interrupts import install  # noqa: PLC0415

    install()
    if mask:
        mask(_signal.SIG_SETMASK, before)


if __name__ == "__main__":
    command()
