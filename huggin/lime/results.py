"""Where pictures come from and results go: names, folders, the database."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import unquote, urlsplit

from huggin.common.errors import BadValue
from huggin.common.files import write_json
from huggin.common.text import printable, storable
from huggin.database.connection import check_database, database_path, open_database
from huggin.database.queries import record_explanation

Row = Mapping[str, Any]


def refuse_unwritable(json: Path | None, db: Path | None) -> None:
    """Fail early: raise UserError or OSError if one of these files cannot be written."""
    if json and json.is_dir():
        raise BadValue("json", json, "a folder; name a file")
    if json:
        make_writable(json.parent)
    check_database(database_path(db))


def make_writable(folder: Path) -> None:
    """Make a folder. Raises OSError if nothing can be written there."""
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder):
        pass


def record(db: Path | None, json: Path | None, numbers: Any, rows: Sequence[Row] = ()) -> None:
    """Write all numbers into a file if there is to be one, and rows into the database.

    rows: of explanations; each has the columns' names as keys, and `segments`. Without them, the
    numbers are such rows.
    """
    if json:
        write_json(json, numbers)
    with closing(open_database(database_path(db))) as connection:
        for row in rows or numbers:
            record_explanation(connection, row, row["segments"])


def is_address(where: str) -> bool:
    """Whether a picture is to be downloaded."""
    return where.lower().startswith(("http://", "https://"))


def name_of(image: str) -> str:
    """The file name of a path or an address, for titles, folders and the database."""
    path = unquote(urlsplit(image).path) if is_address(image) else image
    name = storable(printable(Path(path).name))
    return name if name.strip(".") else "picture"
