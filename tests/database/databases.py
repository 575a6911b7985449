"""What the tests of the database share: an older toolkit's database, and its rows."""

import sqlite3
from contextlib import closing
from pathlib import Path

from huggin.database.queries import AnswerRow

OLDER = """
CREATE TABLE compute_loss (id INTEGER PRIMARY KEY, stack_trace, seconds);
INSERT INTO compute_loss VALUES (3, 'forward|backward', '0.25'), (7, NULL, x'00ff');
CREATE TABLE call_sequence (training_function, seq_ids);
INSERT INTO call_sequence VALUES ('train', '1,2,3');
CREATE TABLE model_efficacy
    (id INTEGER PRIMARY KEY, model_type_state, correct_num, sample_num, sample_seq, "my ""note");
CREATE INDEX model_efficacy_id ON model_efficacy (id);
INSERT INTO model_efficacy VALUES
    (1, 'squad-1026', '17', '51', '3,3,6', NULL), (2, 'data-1026', '7', '7', NULL, 'the first'),
    (5, 'squad-1026', '1', '4', '4', NULL), (6, NULL, '', 'many', '', NULL);
CREATE TABLE sample_indices (id INTEGER PRIMARY KEY, model_efficacy_id, seq_num, seq_ids);
INSERT INTO sample_indices VALUES
    (4, '1', '3', '87204,,39451'), (5, '5', '2', '39451,12'), (9, '8', '1', '12'),
    (10, 'x', '1', ''), (11, NULL, 1, 5);
CREATE VIEW all_states AS SELECT model_type_state FROM model_efficacy;
"""


def make_older(path: Path) -> Path:
    """Write a database as the older toolkit left it.

    It has numbers as texts, NULL, empty items, a repeated state, and runs without a state.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLDER)
    return path


def answer(index: int = 1, right: bool = True, answered: str = "Odin") -> AnswerRow:
    return AnswerRow(index, "Odin", answered, exact_match=right, f1=66.7, confidence=0.5)


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def rows(path: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()
