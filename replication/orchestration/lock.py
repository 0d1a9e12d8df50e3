"""A lock file with a heartbeat: one run folder has one writer, and a dead writer's lock is taken over."""

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

HEARTBEAT = 10.0  # seconds between signs of life
STALE = 120.0  # seconds without a sign of life after which a lock no longer counts


class LockLost(RuntimeError):
    """Another process took the run over while this one was silent; this one must stop writing."""


class Lock:
    """Exclusive right to write in a run folder, held from `acquire` to `release`.

    A lock is stale when its process on this machine is gone, or when its heartbeat is older than `STALE`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(8)}"
        self._stop = threading.Event()

    def acquire(self) -> bool:
        """Take the lock; False when a living process holds it."""
        if not self._create() and not self._take_over():
            return False
        threading.Thread(target=self._beat, daemon=True).start()
        return True

    def held(self) -> bool:
        """Whether the file still carries this lock's token."""
        return (read(self.path) or {}).get("token") == self._token

    def require(self) -> None:
        """Raise `LockLost` unless the lock is still ours."""
        if not self.held():
            raise LockLost(f"the lock of {self.path.parent.name} was taken over by another process")

    def release(self) -> None:
        """Stop the heartbeat and remove the file if it is still ours."""
        self._stop.set()
        if self.held():
            self.path.unlink(missing_ok=True)

    def _create(self) -> bool:
        me = psutil.Process()
        content = {"pid": me.pid, "host": socket.gethostname(), "started": me.create_time(), "token": self._token}
        temporary = self.path.with_name(f".lock.{self._token}")
        temporary.write_text(json.dumps(content))
        try:
            os.link(temporary, self.path)  # creates the lock with its content, or fails: no torn lock
        except FileExistsError:
            return False
        except OSError:  # no hard links on this file system
            return self._create_plainly(temporary.read_bytes())
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def _create_plainly(self, content: bytes) -> bool:
        try:
            with open(self.path, "xb") as file:
                file.write(content)
        except FileExistsError:
            return False
        return True

    def _take_over(self) -> bool:
        with _one_at_a_time(self.path.with_name(".takeover")):
            if not is_stale(self.path):
                return False
            self.path.unlink(missing_ok=True)
            return self._create()

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            if not self.held():
                return
            with contextlib.suppress(OSError):
                os.utime(self.path)


def read(path: Path) -> dict | None:
    """Who holds the lock at `path`: {} for an unreadable file, None without one."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock at `path`."""
    return path.exists() and not is_stale(path)


def is_stale(path: Path) -> bool:
    """Whether the lock at `path` is missing or its holder is dead or silent."""
    holder = read(path)
    if holder is None:
        return True
    with contextlib.suppress(FileNotFoundError):
        return _is_dead(holder) or time.time() - path.stat().st_mtime > STALE
    return True


def _is_dead(holder: dict) -> bool:
    if holder.get("host") != socket.gethostname():
        return False
    try:
        process = psutil.Process(holder["pid"])
        return process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - holder["started"]) > 1.0
    except psutil.NoSuchProcess:
        return True


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Let one process of this machine at a time judge a stale lock; the system frees it when a process dies."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system: the short window is left open
        yield
        return
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
