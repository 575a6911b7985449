"""A command of the user's that is run when a training has ended."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from huggin.common.errors import UserError
from huggin.common.streams import warn
from huggin.common.text import one_line

LONGEST = 60  # seconds that the command may take


def words_of(command: str) -> list[str]:
    """The command in words, without a shell. Raises UserError if it is none."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"notify {command!r}: {one_line(error)}; close the quotes") from None
    if not words:
        raise UserError("notify: no command; name one, as in notify-send")
    return words


@dataclass
class Ending:
    """How a training ended, for the command that is told."""

    code: int = 0


@contextmanager
def notifying(command: str | None, folder: str) -> Iterator[Ending]:
    """Run the user's command after the block, with what the block has made of `Ending`.

    An error in the block is told, too, and raised on. Nothing happens without a command.
    """
    ending = Ending()
    if command is None:
        yield ending
        return
    words_of(command)  # a wrong one is refused before the training and not after it
    try:
        yield ending
    except UserError as error:
        notify(command, f"failed: {error}", 2, folder)
        raise
    except OSError as error:
        notify(command, f"failed: {one_line(error)}", 2, folder)
        raise
    result = {0: "done", 130: "stopped by Ctrl-C, saved"}.get(ending.code, "stopped, saved")
    notify(command, f"{folder}: {result}", ending.code, folder)


def notify(command: str, result: str, code: int, folder: str) -> None:
    """Run the command. It finds the result in HUGGIN_RESULT, HUGGIN_EXIT_CODE and HUGGIN_RUN.

    A command that fails is said in one line; the training's own result stands.
    """
    more = {"HUGGIN_RESULT": result, "HUGGIN_EXIT_CODE": str(code), "HUGGIN_RUN": folder}
    try:
        done = subprocess.run(
            [*words_of(command)],
            env=os.environ | more,
            stdin=subprocess.DEVNULL,
            timeout=LONGEST,
            check=False,
        )
        problem = f"ended with exit code {done.returncode}" if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = one_line(error)
    if problem:
        warn(f"run_qa.py: notify {command!r}: {problem}")
