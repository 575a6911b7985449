"""huggin.asking.suspects: a run's questions ranked, and the files that are made of them."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from huggin.asking.suspects import COLUMNS, export_suspects, suspects, write_without
from huggin.common.errors import BadValue, UserError
from huggin.graphs.questions import draw_data_map
from huggin.qa.records import read_records
from huggin.recording.reader import Recording
from tests.conftest import command


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    """A copy of the tiny run, because what is found is kept in it."""
    return Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("suspects") / "run"))


@pytest.fixture(scope="module")
def found(run):
    return suspects(run)


def test_all_questions_are_ranked_with_what_the_model_says(found, run, records):
    assert sorted(suspect.index for suspect in found.ranked) == [0, 1, 2, 3]
    assert [suspect.rank for suspect in found.ranked] == [1, 2, 3, 4]
    for suspect in found.ranked:
        record = records[suspect.index]
        begin = suspect.place
        assert record["context"][begin : begin + len(suspect.given)] == suspect.given
        assert 0 <= suspect.probability <= 1
        assert suspect.model_answer in record["context"]
        assert suspect.reason.endswith("also in the validation data")
    assert "4 questions of questions.json (train)" in found.in_words()
    assert json.loads((run / "suspects.json").read_text())["ranked"][0]["rank"] == 1
    assert "<script" not in replace(found, data="<script>")._repr_html_()


def test_the_given_answers_probability_is_the_models(run, records):
    """Compared with a plain forward pass over one window."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(run)
    model = AutoModelForQuestionAnswering.from_pretrained(run).eval()
    found = {suspect.index: suspect for suspect in suspects(run, device="cpu").ranked}
    encoded = tokenizer(records[0]["question"], records[0]["context"], return_tensors="pt")
    begin = found[0].place
    first = encoded.char_to_token(0, begin, 1)
    last = encoded.char_to_token(0, begin + len(found[0].given) - 1, 1)
    with torch.no_grad():
        output = model(**encoded)
    start, end = output.start_logits.softmax(-1)[0, first], output.end_logits.softmax(-1)[0, last]
    assert found[0].probability == pytest.approx(float(start * end), rel=1e-4)


def test_without_asking_and_on_validation_data(run):
    silent = suspects(run, ask=False)
    assert silent.ranked[0].model_answer is None
    assert len(suspects(run, validation=True).ranked) == 4


def test_files(found, tmp_path):
    formula = replace(found.ranked[0], question='=HYPERLINK("http://x")')
    found = replace(found, ranked=[formula, *found.ranked[1:]])
    table = tmp_path / "s.csv"
    export_suspects(found, table)
    rows = list(csv.DictReader(table.open(newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert rows[0]["question"].startswith("'=HYPERLINK")
    assert len(rows) == 4
    export_suspects(found, tmp_path / "s.jsonl")
    lines = (tmp_path / "s.jsonl").read_text().splitlines()
    assert [json.loads(line)["rank"] for line in lines] == [1, 2, 3, 4]
    export_suspects(found, tmp_path / "s.json")
    assert [row["rank"] for row in json.loads((tmp_path / "s.json").read_text())] == [1, 2, 3, 4]
    with pytest.raises(BadValue, match="must end in one of"):
        export_suspects(found, tmp_path / "s.xlsx")


def test_forms_of_label_studio_and_argilla(found, tmp_path):
    export_suspects(found, tmp_path / "s.label-studio.json")
    for task, suspect in zip(
        json.loads((tmp_path / "s.label-studio.json").read_text()), found.ranked
    ):
        assert set(task) == {"data", "predictions"}
        [result] = task["predictions"][0]["result"]
        assert {"from_name", "to_name", "type", "value"} <= set(result)
        value = result["value"]
        context = task["data"][result["to_name"]]
        assert context[value["start"] : value["end"]] == value["text"] == suspect.given
        assert value["labels"] == ["answer"]
    export_suspects(found, tmp_path / "s.argilla.json")
    for entry in json.loads((tmp_path / "s.argilla.json").read_text()):
        assert set(entry["fields"]) == {"question", "context"}
        [span] = entry["suggestions"]["answer"]["value"]
        assert set(span) == {"start", "end", "label"}
        assert set(entry["suggestions"]["answer"]) == {"value", "score", "agent"}


def test_the_data_without_suspects_is_data(found, tmp_path):
    write_without(found, 1, tmp_path / "clean.json")
    left = [record["id"] for record in read_records(tmp_path / "clean.json")]
    assert left == [record["id"] for record in found.records if record["id"] != found.ranked[0].id]
    with pytest.raises(BadValue, match="must be 1 to 3"):
        write_without(found, 4, tmp_path / "clean.json")


def test_the_data_map(run):
    figure = draw_data_map(Recording(run), [2, 0])["questions-suspects"]
    every, marked = figure.axes[0].lines
    assert (len(every.get_xdata()), len(marked.get_xdata())) == (4, 2)
    assert marked.get_ydata()[1] == every.get_ydata()[2]
    assert "ambiguous" in [text.get_text() for text in figure.axes[0].texts]


def test_data_that_has_changed(run, tmp_path, records):
    other = Path(shutil.copytree(run, tmp_path / "run"))
    facts = json.loads((other / "recording" / "run.json").read_text())
    (tmp_path / "few.json").write_text(json.dumps(records[:2]))
    facts["cfg"]["train_file"] = str(tmp_path / "few.json")
    (other / "recording" / "run.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="has changed since"):
        suspects(other, ask=False)


@pytest.mark.slow
def test_the_command(run, tmp_path):
    done = command("suspects", run, "--export", "s.csv", "--without", 1, "c.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 questions of questions.json (train)")
    assert re.search(r"^   1\. \d\.\d\d  question \d: ", done.stdout, re.MULTILINE)
    assert "--train_file c.json" in done.stdout
    assert (run / "graphs" / "questions-suspects.png").exists()
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 5
    assert len(list(read_records(tmp_path / "c.json"))) == 3
    facts = json.loads((run / "recording" / "run.json").read_text())
    shutil.copy(facts["cfg"]["validation_file"], tmp_path / "held-out.json")
    facts["cfg"]["validation_file"] = str(tmp_path / "held-out.json")
    other = Path(shutil.copytree(run, tmp_path / "run"))
    (other / "recording" / "run.json").write_text(json.dumps(facts))
    done = command("suspects", other, "--validation", "--no-model", cwd=tmp_path)
    assert done.stdout.startswith("4 questions of held-out.json (validation)")


def test_the_runs_own_data_is_not_replaced(run, tmp_path):
    data = Path(Recording(run).facts.cfg["train_file"])
    before = data.read_bytes()
    done = command("suspects", run, "--without", 1, data, "--no-model", cwd=tmp_path)
    assert (done.returncode, data.read_bytes()) == (2, before)
    assert "is data of the run; name another file" in done.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--export", "s.xlsx"], "--export s.xlsx: must end in one of .csv, .jsonl, "),
        (["--without", "x", "c.json"], "--without x c.json: give a number and a file"),
        (["--without", 1, "c.csv"], "--without 1 c.csv: the file must end in .json"),
        (["--without", 2, "c.json", "--validation"], "--without: of the training data"),
        (["--without", 9, "c.json", "--no-model"], "--without 9: must be 1 to 3"),
    ],
)
def test_bad_usage(run, tmp_path, words, problem):
    done = command("suspects", run, *words, cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert problem in done.stderr
    assert list(tmp_path.iterdir()) == []
