"""Exclusive claims of folders and of output files; they die with their process, however it ends.

A claim is a lock of the operating system on a small file that lies in the place itself, so that all names of a
place (links, relative paths, other mounts) meet in one lock. Processes that this one forks release it immediately;
programs that it starts never have it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import threading
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from heatprop.errors import BusyError, OutputError

FOLDER_LOCK = ".heatprop.lock"
_LONGEST_NAME = 200  # bytes; file systems allow 255, and a lock's name is a little longer than the file's
_TRIES = 1000
_log = logging.getLogger(__name__)

_held: set[Claim] = set()  # by this process
_changing = threading.RLock()  # held while claims come and go, and around a fork


class Claim:
    """The sole right to write in a place, from construction until `release` or the end of the process.

    Args:
        lock: the file to lock; None for a place that is nobody's alone.
        place: what is claimed, for messages.
        make_folder: whether the lock's folder is made if need be; it goes with the claim if nothing
            was written there.
        sign: whether the number of this process is written into the lock, for the messages of others.

    Raises:
        BusyError: somebody else has it: another process, or another claim of this one.
        OutputError: nothing can be written there.
    """

    def __init__(self, lock: Path | None, place: Path, *, make_folder: bool = False, sign: bool = True) -> None:
        self.place = place
        self._lock = lock
        self._made: list[Path] = []
        self._descriptor: int | None = None
        if lock is None:
            return
        try:
            with _changing:
                self._descriptor = self._take(lock, make_folder, sign)
                _held.add(self)
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(
                f"{place}: cannot write there ({error.strerror or error}); see to its rights, or choose another"
            ) from None

    def _take(self, lock: Path, make_folder: bool, sign: bool) -> int | None:
        """Return a descriptor of the lock file, locked; None where the file system has no locks."""
        for number in range(_TRIES):
            try:
                if make_folder:
                    self._make(lock.parent)
                descriptor = _open(lock)
            except FileNotFoundError:
                if not make_folder or number == _TRIES - 1:
                    raise
                continue  # the folder went with the claim of another
            try:
                if not _lock(descriptor, self.place):
                    os.close(descriptor)
                    return None
                if _is_named(descriptor, lock):
                    if sign:
                        _sign(descriptor)
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # its last owner removed it between opening and locking
        raise BusyError(
            f"{self.place} is claimed and released all the time; stop the other runs, or choose another place"
        )

    @property
    def is_certain(self) -> bool:
        """Whether a lock stands behind it; where the file system has none, another run may be at work."""
        return self._descriptor is not None

    def _make(self, folder: Path) -> None:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        self._made = missing or self._made

    def release(self) -> None:
        """Let others have the place, and remove the lock file; a second time does nothing."""
        with _changing:
            _held.discard(self)
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is None or self._lock is None:
                return
            try:
                # While it is locked: whoever opened it meanwhile sees that it has no name, and opens anew.
                if _is_named(descriptor, self._lock):
                    self._lock.unlink(missing_ok=True)
            except OSError:  # it does no harm
                pass
            finally:
                os.close(descriptor)
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:  # something was written there
                break

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def claim_folder(folder: str | Path) -> Claim:
    """Claim a folder; it is made if need be, and goes with the claim if nothing was written there.

    Raises:
        BusyError: another run works in it.
        OutputError: it is no folder, or nothing can be written there.
    """
    return Claim(Path(os.path.realpath(folder), FOLDER_LOCK), Path(folder), make_folder=True)


def claim_file(path: str | Path) -> Claim:
    """Claim an output file, which need not be there yet, but whose folder must be.

    What is no regular file, such as ``/dev/null``, is not claimed: many may write there.

    Raises:
        BusyError: another run writes it.
        OutputError: nothing can be written there.
    """
    real = Path(os.path.realpath(path))
    if real.exists() and not real.is_file():
        return Claim(None, Path(path))
    name = real.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return Claim(real.with_name(f".{name}.lock"), Path(path))


def _open(lock: Path) -> int:
    # Not through links, which others might lay, and without waiting if it is a pipe.
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except PermissionError:
        try:
            return os.open(lock, os.O_RDONLY | flags)  # another user's, who may write in the same folder
        except FileNotFoundError:
            pass
        raise


def _lock(descriptor: int, place: Path) -> bool:
    """Lock an open file; return False where the file system has no locks.

    Raises:
        BusyError: somebody else has locked it.
        OutputError: it is something that nobody should lock.
    """
    from filelock import lock_descriptor  # on use: it takes 40 ms to load  # noqa: PLC0415

    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OutputError(f"{place}: the lock file in it is no regular file; remove it")
    try:
        free = lock_descriptor(descriptor, blocking=False)
    except OSError as error:  # some network file systems
        _warn_once(place.parent, error.strerror or str(error))
        return False
    if not free:
        raise BusyError(
            f"{place} is in use by another run{_process(descriptor)}; wait for its end, or choose another place"
        )
    return True


@cache
def _warn_once(folder: Path, reason: str) -> None:
    _log.warning("%s: its file system has no locks (%s): a second run there would not be noticed", folder, reason)


def _is_named(descriptor: int, lock: Path) -> bool:
    """Return whether the file still has its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(lock))
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    """Write into the lock who has it: only for messages, so that it may fail."""
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    except OSError:
        pass


def _process(descriptor: int) -> str:
    try:
        text = os.read(descriptor, 32).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return f" (process {text})" if text.isdecimal() else ""


def _let_go_in_child() -> None:
    """Close this process's copies of what its parent claimed: the lock is the parent's alone."""
    for claim in _held:
        if claim._descriptor is not None:
            os.close(claim._descriptor)
            claim._descriptor = None
    _held.clear()
    _changing.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_let_go_in_child
    )
