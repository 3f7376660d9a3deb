"""The command `heatprop`, and `python -m heatprop`: signals are cared for before anything else is imported."""

from __future__ import annotations

# What `signal` wraps: a part of the interpreter, so that nothing is loaded before signals wait.
import _signal  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


def command() -> NoReturn:
    """Run the command line of this process and end the process with its exit code."""
    _install()
    import atexit  # noqa: PLC0415 - these, and what they import, are loaded when signals are cared for
    import os  # noqa: PLC0415
    import signal  # noqa: PLC0415
    import sys  # noqa: PLC0415
    from contextlib import suppress  # noqa: PLC0415

    def react(handler: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)

    # Run last of all: after it the interpreter would give signals back to the system, which kills.
    atexit.register(react, signal.SIG_IGN)
    from heatprop.cli import main  # noqa: PLC0415
    from heatprop.interrupts import pending  # noqa: PLC0415

    code = main()
    # The work is done, and its exit code known: a signal from here on only shortens the way out.
    react(lambda *_: os._exit(code))
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if pending() is not None:
        # A thread that waits for data which does not come, or for a library, is not waited for.
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
