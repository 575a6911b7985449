"""A command of the user's that is run when a training has ended.

    python -m huggin.training.notify COMMAND EXIT_CODE FOLDER

The drivers, which are bash scripts, tell the end of their last stage this way.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from huggin.common.cli import meaning_of
from huggin.common.errors import UserError
from huggin.common.streams import warn
from huggin.common.text import one_line

LONGEST = 60  # seconds that the command may take
MORE_FOLLOWS = "HUGGIN_MORE_FOLLOWS"  # set by a driver: it tells the end itself if all goes well
GOING_ON = (0, 1)  # exit codes after which a driver goes on
RESULTS = {
    0: "done",
    1: "done, no answer was right",
    2: "failed",
    70: "failed, by a defect of the toolkit",
    129: "stopped, saved",
    130: "stopped by Ctrl-C, saved",
    141: "done, but nobody read the output",
    143: "stopped, saved",
}
KILLED = 128  # exit codes of a process that a signal ended are this and the signal's number


def words_of(command: str) -> list[str]:
    """The command in words, without a shell. Raises UserError if it is none."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"notify {command!r}: {one_line(error)}; close the quotes") from None
    if not words:
        raise UserError("notify: no command; name one, as in notify-send")
    if "\0" in command:
        raise UserError(f"notify {command!r}: no command can hold the character NUL; leave it out")
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
    except SystemExit as stopped:  # by a signal, before or after the training
        code = stopped.code if isinstance(stopped.code, int) else 0
        notify(command, f"{folder}: stopped", code, folder)
        raise
    except Exception as error:
        text, code = meaning_of(error)
        notify(command, f"failed: {text}", code, folder)
        raise
    if ending.code not in GOING_ON or MORE_FOLLOWS not in os.environ:
        notify(command, result_in_words(ending.code, folder), ending.code, folder)


def result_in_words(code: int, folder: str) -> str:
    """What an exit code of a command on a run's folder means."""
    signal = code - KILLED
    other = f"killed by signal {signal}" if signal > 0 else f"failed with exit code {code}"
    return f"{folder}: {RESULTS.get(code, other)}"


def notify(command: str, result: str, code: int, folder: str) -> None:
    """Run the command. It finds the result in HUGGIN_RESULT, HUGGIN_EXIT_CODE and HUGGIN_RUN.

    A command that fails is said in one line; the training's own result stands.
    """
    more = {"HUGGIN_RESULT": result, "HUGGIN_EXIT_CODE": str(code), "HUGGIN_RUN": folder}
    try:
        ended = subprocess.run(
            [*words_of(command)],
            env=os.environ | more,
            stdin=subprocess.DEVNULL,
            timeout=LONGEST,
            check=False,
        )
        problem = f"ended with exit code {ended.returncode}" if ended.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = one_line(error)
    if problem:
        warn(f"notify {command!r}: {problem}")


if __name__ == "__main__":
    told, number, run = sys.argv[1:]
    notify(told, result_in_words(int(number), run), int(number), run)
