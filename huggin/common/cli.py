"""What every command shares: its arguments, one-line errors, exit codes."""

import argparse
import inspect
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from huggin import __version__
from huggin.common.errors import BadValue, UserError
from huggin.common.files import PACKAGE, TOOLKIT
from huggin.common.progress import quieten_libraries_bars
from huggin.common.streams import open_standard_files, standing_in, stdout_is_lost, warn
from huggin.common.text import one_line

BAD_INPUT = 2
DEFECT = 70
CTRL_C = 130
NOT_ON_WINDOWS = (
    "Windows is supported through WSL; type 'wsl --install' in PowerShell, and set up there"
)
EXTRAS = {  # packages that are not always installed, and what each is for
    **dict.fromkeys(("keras", "tensorflow", "skimage", "httpx2", "h5py"), "pictures"),
    "tensorboard": "tensorboard",
}

Main = Callable[[Sequence[str] | None], int]


class CommandParser(argparse.ArgumentParser):
    """An argument parser that answers bad usage in one line and keeps the layout of its texts."""

    def __init__(self, description: str, example: str) -> None:
        """example: a whole command, such as `python lime.py photo.jpg` or `huggin rewind RUN`."""
        program, name, *words = example.split(" ")
        prog = called(name if program == "python" else f"{program} {name}")
        start = f"python {prog}" if prog.endswith(".py") else prog
        super().__init__(
            prog=prog,
            description=description,
            epilog=f"example: {' '.join([start, *words])}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.register("type", Path, path)
        version = f"huggin {__version__}"
        self.add_argument("--version", action="version", version=version, help="print the version")

    def option(
        self, flag: str, meaning: str, default: Any = None, *, group: Any = None, **settings: Any
    ) -> None:
        """Add an option: `--samples N` takes a value, `--all` is a switch.

        meaning: what `--help` says of it; a default that is given is added to that, and says the
        type of the value. group: to which it belongs, as of `add_mutually_exclusive_group`.
        settings: as for `add_argument`, and `at_least`, the least number.
        """
        name, _, metavar = flag.partition(" ")
        if metavar:
            settings["metavar"] = metavar
        elif not settings.keys() & {"choices", "action"}:
            settings["action"] = "store_true"
        if default is not None:
            meaning += f" (default: {default})"
            settings = {"type": type(default), "default": default} | settings
        if "at_least" in settings:
            settings["type"] = at_least(settings.pop("at_least"))
        (group or self).add_argument(name, help=meaning, **settings)

    def add_device(self) -> None:
        """Add the option --device."""
        meaning = (
            "where the model computes: cpu, cuda, cuda:1, mps, xpu (default: the GPU if there is "
            "one, unless the cfg says use_cpu)"
        )
        self.option("--device NAME", meaning)

    def add_split(self, default: str | None = None) -> None:
        """Add the option --split."""
        usual = default or "validation, if the data has such questions"
        meaning = f"whose questions (default: {usual})"
        self.add_argument("--split", choices=("train", "validation"), default=default, help=meaning)

    def parse_args(  # type: ignore[override] # one signature for both of argparse's
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """Read the arguments; options may stand between them, as in `A --format png B`."""
        words = sys.argv[1:] if args is None else args
        if "--" in words:  # which argparse understands only where the order is kept
            return super().parse_args(words, namespace)
        return self.parse_intermixed_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise UserError for bad usage."""
        raise UserError(f"{message}; see {self.prog} --help")


def called(own_name: str) -> str:
    """What a command calls itself: `huggin lime` if it was called so, else its own name."""
    return sys.argv[0] if sys.argv[0].startswith("huggin ") else own_name


def name_of(main: Main) -> str:
    """The name of a command: its file's, or `huggin rewind` if it is in `huggin/commands/`."""
    folder, _, name = main.__module__.rpartition(".")
    if folder == "huggin.commands":
        return f"huggin {name.replace('_', '-')}"
    return called(Path(inspect.getfile(main)).name)


def at_least(least: int) -> Callable[[str], int]:
    """The type of arguments that are whole numbers of `least` or more."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text}: must be {least} or more")
        return int(text)

    return number


def path(text: str) -> Path:
    """The type of arguments that are paths: an empty one would stand for the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("empty; name a file or a folder")
    return Path(text)


def run_command(main: Main) -> NoReturn:
    """Run a command as a process: with the arguments that were typed, to its exit code."""
    open_standard_files()
    quieten_libraries_bars()
    sys.exit(exit_code_of(main))


def exit_code_of(main: Main, argv: Sequence[str] | None = None) -> int:
    """Run a command's `main` and say in one line what went wrong.

    Returns what `main` returns, or 2 for bad input, 70 for a defect of the toolkit, 130 for Ctrl-C.
    """
    name = name_of(main)
    if sys.platform == "win32":
        return _failed(name, f"error: {NOT_ON_WINDOWS}", BAD_INPUT)
    with standing_in():
        try:
            try:
                code = main(argv)
            except SystemExit as stopped:  # --help, --version, or a signal before the training
                code = stopped.code if isinstance(stopped.code, int) else 0
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            return _failed(name, "stopped by Ctrl-C", CTRL_C)
        except Exception as error:
            if isinstance(error, BrokenPipeError) and stdout_is_lost():  # as in `... | head`
                return 0
            text, code = meaning_of(error)
            if code == DEFECT:
                warn("".join(traceback.format_exception(error)).rstrip())
            return _failed(name, f"error: {text}", code)


def meaning_of(error: Exception) -> tuple[str, int]:
    """What an exception that ends a command means: a text, and the exit code."""
    if isinstance(error, BadValue):
        return error.as_option(), BAD_INPUT
    if isinstance(error, UserError):
        return str(error), BAD_INPUT
    if isinstance(error, FileExistsError):
        return f"{error.filename}: a file, where a folder is needed; name another", BAD_INPUT
    if isinstance(error, OSError):
        advice = "check the path, who may write there, and the space on its disk"
        return f"{one_line(error)}; {advice}", BAD_INPUT
    text = str(error).lower()
    of_torch = isinstance(error, RuntimeError) and (
        "allocate memory" in text or "out of memory" in text
    )
    if isinstance(error, MemoryError) or of_torch:
        advice = "close other programs, or make the data, the batches or the model smaller"
        return f"not enough memory; {advice}", BAD_INPUT
    surrogate = isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed"
    if surrogate or (isinstance(error, ValueError) and "embedded null" in text):
        return "a path holds characters that no file name can have", BAD_INPUT
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        extra = EXTRAS[error.name]
        what = f"{error.name} is not installed, it is only needed for {extra}"
        command = f"{shlex.quote(sys.executable)} -m pip install 'huggin[{extra}]'"
        in_clone = TOOLKIT.parent != PACKAGE
        return f"{what}; type: {'./setup --with-pictures' if in_clone else command}", BAD_INPUT
    if library := _library_that_loaded(error):
        advice = "check the environment variables that it reads, or type ./setup"
        return f"{library} cannot be loaded: {one_line(error)}; {advice}", BAD_INPUT
    # A defect; exit code 1 would mean "done, and the answer is no".
    return "this is a defect of the toolkit; please report it with the lines above", DEFECT


def _library_that_loaded(error: Exception) -> str | None:
    """The package whose import has failed, as with TORCH_LOGS=nonsense; None if none has."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        parts = Path(frame.f_code.co_filename).parts
        if frame.f_code.co_name == "<module>" and "site-packages" in parts[:-1]:
            return parts[parts.index("site-packages") + 1].removesuffix(".py")
    return None


def _failed(name: str, text: str, code: int) -> int:
    warn(f"{name}: {' '.join(text.split())}")
    return code
