"""A lock by name: who trains a model is alone in it, among the threads of a process and among processes.

The operating system holds the lock and lets go of it when its process dies, so that a killed run blocks nobody: what it left
is taken over.  The file tells who holds it.
"""

import os
from contextlib import suppress
from pathlib import Path

from .files import Unwritable, reason

try:
    from fcntl import LOCK_EX, LOCK_NB, flock

    def _grab(handle: int) -> None:
        flock(handle, LOCK_EX | LOCK_NB)
except ModuleNotFoundError:  # Windows
    from msvcrt import LK_NBLCK, locking

    def _grab(handle: int) -> None:
        os.lseek(handle, 2**20, os.SEEK_SET)  # a locked byte cannot be read, so it lies behind the words
        locking(handle, LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)


class LockTaken(RuntimeError):
    """Somebody else holds the lock.

    Attributes:
        process: id of the process that does, or "" where the file does not say.
    """

    def __init__(self, path: Path, process: str) -> None:
        super().__init__(f"{path.stem!r} is in use by {f'process {process}' if process else 'another process'}")
        self.process = process


class Lock:
    """A held lock; `release` gives it back, and removes its file."""

    def __init__(self, path: Path) -> None:
        """Take it.

        Raises:
            LockTaken: somebody else holds it.
            Unwritable: the file cannot be made.
        """
        self.path = path
        while True:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                raise Unwritable(f"{path.parent} cannot be written ({reason(error)}); nothing was begun") from error
            try:
                _grab(self._handle)
            except OSError:
                process = os.read(self._handle, 20).decode(errors="replace").strip()
                os.close(self._handle)
                raise LockTaken(path, process) from None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._handle), path.stat()):
                    break
            os.close(self._handle)  # its last holder removed the file between our two calls
        with suppress(OSError):  # the words are for people
            os.ftruncate(self._handle, 0)
            os.write(self._handle, str(os.getpid()).encode())

    def release(self) -> None:
        """Let go of it."""
        with suppress(OSError):
            self.path.unlink()
        os.close(self._handle)
