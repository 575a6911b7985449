"""One process per run: the folder itself is locked, and a file in it says by whom.

The lock is the operating system's, so it goes with its process however that ends.
"""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from huggin.common.errors import UserError
from huggin.common.files import write_json
from huggin.recording.run_folder import RunFolder


@contextmanager
def locked(run: RunFolder) -> Iterator[None]:
    """Hold the run's folder, made where it is not there; a UserError says who holds it.

    A folder that is empty at the end is taken away again.
    """
    with ExitStack() as held:
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            held.enter_context(one_at_a_time(run.path, wait=False))
        except BlockingIOError:
            raise UserError(
                f"{run.path}: {_holder(run)}; wait for it, stop it, or name another output_dir"
            ) from None
        except OSError as error:
            raise UserError(
                f"{run.path}: no folder to write to: {error.strerror}; name another output_dir"
            ) from None
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
        facts = json.loads(run.holder.read_text(encoding="utf-8"))
        return f"in use by process {facts['pid']} on {facts['host']} since {facts['since']}"
    except (OSError, ValueError, KeyError):
        return "in use by another process"


@contextmanager
def one_at_a_time(folder: Path, wait: bool = True) -> Iterator[None]:
    """Go on when no other process is in a block for this folder; without `wait` raise BlockingIOError if one is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
