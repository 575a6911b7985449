"""The folder that results go to: check it, name folders in it, remove earlier figures."""

import re
from argparse import Namespace
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from huggin.common.errors import UserError
from huggin.database.connection import check_database
from huggin.database.option import database_path
from huggin.lime.classifiers.labels import Target

FIGURES = ("lime", "segment_coeffs", "top_segments", "numbered_segments", "prob_topclassification")


def refuse_unwritable(args: Namespace) -> None:
    """Fail early: raise UserError or OSError if an output location is not writable."""
    if args.json and args.json.is_dir():
        raise UserError(f"--json {args.json}: a folder; name a file")
    for folder in (args.json.parent if args.json else args.out, args.out):
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder):
            pass
    check_database(database_path(args.db))


def folder_of(target: Target) -> str:
    """A folder's name for a target. It starts with the classes' numbers, so no two are equal."""
    numbers = str(target.plus) if target.minus is None else f"{target.plus}-{target.minus}"
    words = re.sub(r"\W+", "-", target.name)[:60]
    return f"{numbers}-{words}".strip("-")


def remove_figures(folders: Iterable[Path]) -> None:
    """Remove the figures of an explanation, and each folder that is empty afterwards."""
    for folder in folders:
        paths = [folder / f"{name}.png" for name in FIGURES]
        if all(path.is_file() for path in paths):  # otherwise they are not ours
            for path in (*paths, folder / "faithfulness.png"):
                path.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
