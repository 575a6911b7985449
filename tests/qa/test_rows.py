"""Tables of questions: CSV, TSV and flat JSONL."""

import csv
import json

import pytest

from huggin.common.errors import UserError
from huggin.qa.arguments import DataArguments
from huggin.qa.questions import load_questions

HEAD = "question,context,answer"
ODIN = "Odin has two ravens."


def loaded(tmp_path, name, text, **more):
    file = tmp_path / name
    file.write_bytes(text.encode())
    return load_questions(DataArguments(train_file=str(file), **more), "train")[:]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_needs_three_columns(tmp_path, delimiter, capsys):
    name = "q.tsv" if delimiter == "\t" else "q.CSV"
    row = delimiter.join(["Who?", ODIN, "Odin"])
    found = loaded(tmp_path, name, "\ufeff" + HEAD.replace(",", delimiter) + f"\r\n{row}\r\n")
    assert found["id"] == ["1"]
    assert found["answers"] == [{"text": ["Odin"], "answer_start": [0]}]
    assert capsys.readouterr().err == ""


def test_ids_and_places_that_are_there_are_kept(tmp_path):
    text = 'id,answer_start,question,context,answer\na7,11,Whose?,"Odin, said Odin",Odin\n'
    found = loaded(tmp_path, "q.csv", text)
    assert found["id"] == ["a7"]
    assert found["answers"] == [{"text": ["Odin"], "answer_start": [11]}]


def test_lines_and_lengths_of_a_context_are_kept(tmp_path):
    context = "Odin\r\n" + "x" * 200_000
    found = loaded(tmp_path, "q.csv", f'{HEAD}\nWho?,"{context}",Odin\n')
    assert found["context"] == [context]


def test_answers_in_several_places_are_counted(tmp_path, capsys):
    rows = [
        {"question": "Who?", "context": "Odin and Odin.", "answer": "Odin"},
        {"question": "Who?", "context": ODIN, "answer": "Odin"},
    ]
    found = loaded(tmp_path, "q.jsonl", "\n".join(map(json.dumps, rows)))
    assert [answers["answer_start"] for answers in found["answers"]] == [[0], [0]]
    assert "1 of 2 answers stand in several places of their context" in capsys.readouterr().err


def test_other_readers_of_csv_keep_their_limit(tmp_path):
    before = csv.field_size_limit()
    loaded(tmp_path, "q.csv", f"{HEAD}\nWho?,{ODIN},Odin\n")
    assert csv.field_size_limit() == before


def test_an_empty_answer_is_none(tmp_path):
    found = loaded(tmp_path, "q.csv", f"{HEAD}\nWho?,{ODIN},\n", version_2_with_negative=True)
    assert found["answers"] == [{"text": [], "answer_start": []}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}\nWho?,{ODIN},Thor\n", "row 1 below the first line (id '1'): answer 'Thor' does"),
        ("question,text,answer\nWho?,x,x\n", "names no column context; it needs question, context"),
        (
            f"{HEAD}\nWho?,Odin, the god,Odin\n",
            "row 1 below the first line has more fields than",
        ),
        (f"{HEAD},answer_start\nWho?,{ODIN},Odin,five\n", "answers must be"),
        (HEAD + "\n", "no questions in it"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, text, said):
    with pytest.raises(UserError) as refused:
        loaded(tmp_path, "q.csv", text)
    assert said in str(refused.value)
