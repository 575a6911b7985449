"""Questions in every layout, and every record that is refused."""

import json
from pathlib import Path

import pytest
from datasets import Dataset

from huggin.common.errors import UserError
from huggin.qa.arguments import DataArguments
from huggin.qa.questions import load_questions, shared_questions
from huggin.qa.records import read_records
from tests.conftest import CONTEXT, record


def write(folder: Path, content: object, name: str = "data.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def columns(records):
    return {name: [entry[name] for entry in records] for name in records[0]}


def nested(records):
    qas = [
        {
            "id": r["id"],
            "question": r["question"],
            "answers": [
                {"text": r["answers"]["text"][0], "answer_start": r["answers"]["answer_start"][0]}
            ],
        }
        for r in records
    ]
    return {
        "version": "1.1",
        "data": [{"title": "Ravens", "paragraphs": [{"context": CONTEXT, "qas": qas}]}],
    }


@pytest.mark.parametrize(
    "layout",
    [
        lambda records: records,
        columns,
        nested,
        lambda records: {"data": records},
        lambda records: "\n".join(map(json.dumps, records)) + "\n\n",
        lambda records: "\ufeff" + json.dumps(records),
    ],
    ids=["records", "columns", "squad", "data", "jsonl", "bom"],
)
def test_every_layout_gives_the_same_records(tmp_path, records, layout):
    assert list(read_records(write(tmp_path, layout(records)))) == records


def test_jsonl_lines_end_at_line_feeds_only(tmp_path):
    raw = record(1, "Who\u2028owns\x85the ravens?", "Odin")
    lines = "\r\n".join(json.dumps(entry, ensure_ascii=False) for entry in (raw, raw))
    assert list(read_records(write(tmp_path, lines, "data.jsonl"))) == [raw, raw]


def test_one_jsonl_line_is_one_record(tmp_path, records):
    assert (
        list(read_records(write(tmp_path, json.dumps(records[0]) + "\n", "data.jsonl")))
        == records[:1]
    )


def test_title_may_be_missing_and_an_answer_may_be_single(tmp_path):
    raw = record(1, "Who owns the ravens?", "Odin")
    raw = {**raw, "id": 7, "answers": {"text": "Odin", "answer_start": CONTEXT.index("Odin")}}
    del raw["title"]
    (read,) = read_records(write(tmp_path, [raw]))
    assert (read["id"], read["title"], read["answers"]["text"]) == ("7", "", ["Odin"])


def test_limit(tmp_path, records):
    data = DataArguments(train_file=str(write(tmp_path, records)), max_train_samples=2)
    assert load_questions(data, "train")["id"] == ["q0", "q1"]


def refusal(path: Path, **options) -> str:
    with pytest.raises(UserError) as refused:
        load_questions(DataArguments(train_file=str(path), **options), "train")
    text = str(refused.value)
    assert "\n" not in text
    assert str(path) in text
    return text


GOOD = record(1, "Who owns the ravens?", "Odin")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"answers": {"text": ["Odin"], "answer_start": [3]}},
            "record 2 (id 'bad'): answer 'Odin' is not at answer_start 3",
        ),
        ({"answers": {"text": ["Odin"], "answer_start": [-4]}}, "is not at answer_start -4"),
        ({"answers": {"text": ["Odin"], "answer_start": [9999]}}, "is not at answer_start 9999"),
        ({"answers": {"text": [" "], "answer_start": [7]}}, "empty answer"),
        ({"answers": {"text": ["Odin", "x"], "answer_start": [3]}}, "answers must be"),
        ({"answers": {"text": [3], "answer_start": [3]}}, "answers must be"),
        ({"answers": {"text": [], "answer_start": []}}, "no answer; set version_2_with_negative"),
        ({"answers": "Odin"}, "answers must be"),
        ({"answers": {"text": ["Odin"], "answer_start": [1e999]}}, "answers must be"),
        ({"answers": {"text": ["Odin"], "answer_start": [10**20]}}, "answers must be"),
        ({"context": "half a pair: \ud800"}, "context is not text"),
        ({"context": "  "}, "empty context"),
        ({"question": ""}, "empty question"),
        ({"question": 4}, "question is not text"),
        ({"context": None}, "no context"),
        ({"title": "half a pair: \ud800"}, "title is not text"),
    ],
)
def test_a_wrong_record_is_named_by_position_and_id(tmp_path, change, said):
    text = refusal(write(tmp_path, [GOOD, {**GOOD, "id": "bad", **change}]))
    assert said in text
    assert "record 2 (id 'bad')" in text


def test_missing_field(tmp_path):
    raw = {key: value for key, value in GOOD.items() if key != "answers"}
    assert "record 1 (id 'q1'): no answers; every record needs" in refusal(write(tmp_path, [raw]))


def test_several_wrong_records_are_counted(tmp_path):
    wrong = {**GOOD, "context": " "}
    assert "(and 2 more wrong records)" in refusal(write(tmp_path, [wrong, GOOD, wrong, wrong]))


def test_no_answer_is_right_where_it_is_meant(tmp_path):
    path = write(tmp_path, [{**GOOD, "answers": {"text": [], "answer_start": []}}])
    data = DataArguments(train_file=str(path), version_2_with_negative=True)
    assert load_questions(data, "train")["answers"] == [{"text": [], "answer_start": []}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "no questions in it"),
        ("", "an empty file"),
        ("[" * 100_000, "nested too deeply"),
        ("{oops", "not JSON"),
        ("3", "neither records nor columns"),
        (
            '{"question": ["a", "b"], "id": ["1"], "context": ["c"], "answers": []}',
            "columns of different lengths",
        ),
        ('["a"]', "record 1: not an object"),
        ('{"a": 1}\n{oops}\n', "line 2 is not JSON"),
        (
            '{"data": [{"paragraphs": [{"qas": []}]}]}',
            "article 1, paragraph 1: paragraphs need a context",
        ),
    ],
)
def test_a_file_that_holds_no_questions(tmp_path, content, said):
    assert said in refusal(write(tmp_path, content))


def test_a_nested_record_is_named_by_its_place(tmp_path):
    broken = {
        "data": [{"paragraphs": [{"context": CONTEXT, "qas": [{"id": "x", "question": "Who?"}]}]}]
    }
    assert "article 1, paragraph 1, question 1 (id 'x'): no answers" in refusal(
        write(tmp_path, broken)
    )


def test_not_text(tmp_path):
    path = tmp_path / "data.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in refusal(path)


def test_half_a_surrogate_pair_in_an_id(tmp_path):
    assert "record 1 (id '\\udc00'): id is not text" in refusal(
        write(tmp_path, [{**GOOD, "id": "\udc00"}])
    )


NO_ANSWER = (
    {"text": "", "answer_start": 0},
    {"text": [""], "answer_start": [-1]},
    [{"text": "", "answer_start": 0}],
    [],
)


@pytest.mark.parametrize("answers", NO_ANSWER)
def test_an_empty_text_is_no_answer(tmp_path, answers):
    """Haystack writes an unanswerable question so."""
    path = write(tmp_path, [{**GOOD, "answers": answers}])
    data = DataArguments(train_file=str(path), version_2_with_negative=True)
    assert load_questions(data, "train")["answers"] == [{"text": [], "answer_start": []}]
    assert "no answer; set version_2_with_negative to true" in refusal(path)


def test_a_list_of_paragraphs_is_taken(tmp_path, records):
    """The layout of simpletransformers."""
    qas = [{key: r[key] for key in ("id", "question", "answers")} for r in records]
    read = list(read_records(write(tmp_path, [{"context": CONTEXT, "qas": qas}])))
    assert read == [{**r, "title": ""} for r in records]
    broken = [{"context": CONTEXT, "qas": qas}, {"context": CONTEXT, "qas": [{"id": "x"}]}]
    assert "paragraph 2, question 1 (id 'x'): no question, answers" in refusal(
        write(tmp_path, broken)
    )


def hub(folder, rows):
    """A data set in a folder, which is read as one on the Hub is."""
    lines = rows if isinstance(rows, str) else "\n".join(map(json.dumps, rows))
    (folder / "data").mkdir()
    (folder / "data" / "train.jsonl").write_text(lines)
    return DataArguments(dataset_name=str(folder / "data"))


def hub_refusal(folder, rows):
    with pytest.raises(UserError) as refused:
        load_questions(hub(folder, rows), "train", str(folder / "cache"))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_rows_of_the_hub(tmp_path, records):
    assert (
        load_questions(hub(tmp_path, records), "train", str(tmp_path / "cache")).to_list()
        == records
    )


def test_answers_of_the_hub_can_be_a_list(tmp_path):
    answers = [{"text": "Odin", "answer_start": CONTEXT.index("Odin")}]
    rows = [{**GOOD, "answers": answers, "other": 3}]
    read = load_questions(hub(tmp_path, rows), "train", str(tmp_path / "cache"))
    assert read.to_list() == [GOOD]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [{key: GOOD[key] for key in ("id", "context", "question")}],
            "record 1 (id 'q1'): no answers",
        ),
        ([GOOD, {**GOOD, "context": None}], "record 2 (id 'q1'): no context"),
        ([{**GOOD, "answers": "Odin"}], "answers must be"),
        (
            [{**GOOD, "answers": {"text": ["Odin"], "answer_start": [3]}}],
            "is not at answer_start 3",
        ),
        ('{"id": "1", oops', "(train): "),
    ],
)
def test_wrong_rows_of_the_hub(tmp_path, rows, said):
    assert said in hub_refusal(tmp_path, rows)


def test_a_script_is_no_data_set(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "data.py").write_text("import datasets")
    with pytest.raises(UserError, match=r"data \(train\): .*; check dataset_name"):
        load_questions(DataArguments(dataset_name=str(tmp_path / "data")), "train")


def test_questions_that_two_sets_share(records):
    others = [*records[:2], {**records[2], "question": "Another ?"}]
    sets = [Dataset.from_list(rows) for rows in (records, others)]
    assert shared_questions(*sets) == {0, 1}
    assert shared_questions(sets[0], None) == set()


def test_a_hub_that_cannot_be_reached():
    with pytest.raises(UserError, match="check dataset_name and the network"):
        load_questions(DataArguments(dataset_name="nobody/no-such-data"), "train")
