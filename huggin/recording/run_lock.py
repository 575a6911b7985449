"""One process per run: the folder itself is locked, and a file in it says by whom.

The lock is the operating system's, so it goes with its process however that ends.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from huggin.common.errors import UserError
from huggin.common.files import read_json, write_json
from huggin.recording.run_folder import RunFolder


@contextmanager
def locked(run: RunFolder) -> Iterator[None]:
    """Hold the lock of a run's folder, which is made if it is missing.

    Raises UserError, which says who holds it, if another process does. A folder that is empty at
    the end is removed.
    """
    with ExitStack() as held:
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            held.enter_context(one_at_a_time(run.path, wait=False))
        except BlockingIOError:
            advice = "wait for it, stop it, or name another output_dir"
            raise UserError(f"{run.path}: {_holder(run)}; {advice}") from None
        except OSError as error:
            what = f"no folder to write to: {error.strerror}"
            raise UserError(f"{run.path}: {what}; name another output_dir") from None
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(run.holder, {"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        try:
            yield
        finally:
            run.holder.unlink(missing_ok=True)
            with suppress(OSError):  # not empty
                run.path.rmdir()


def _holder(run: RunFolder) -> str:
    try:
        facts = read_json(run.holder)
        return f"in use by process {facts['pid']} on {facts['host']} since {facts['since']}"
    except (OSError, UserError, KeyError, TypeError):
        return "in use by another process"


@contextmanager
def one_at_a_time(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on the folder.

    Raises BlockingIOError if it is taken and `wait` is false.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
