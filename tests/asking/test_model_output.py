"""The next morning: test-qa-efficacy.py, its database, the figures and the PDF of an answer."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import chdir, closing
from pathlib import Path

import pytest

import huggin
from tests.conftest import command, toolkit

STATE = "BertForQuestionAnswering-NoPretrain-8-questions.json"
ASKED = "run, step 8, asked questions.json"


def rows(folder, query):
    with closing(sqlite3.connect(folder / "stack_trace.db")) as database:
        return database.execute(query).fetchall()


def test_asking_all_is_repeatable_recorded_and_scored(morning):
    done = command(
        "test-qa-efficacy.py",
        "cfg.json",
        "--all",
        "--predictions",
        "p.json",
        "--seed",
        "1",
        cwd=morning,
    )
    assert done.returncode in (0, 1), done.stderr
    predictions = json.loads((morning / "p.json").read_text())
    assert set(predictions) == {"q0", "q1", "q2", "q3"}
    kept = rows(morning, "SELECT seq_index, answered, exact_match, f1 FROM answers ORDER BY id")
    assert sorted(row[0] for row in kept) == [0, 1, 2, 3]
    assert [predictions[f"q{row[0]}"] for row in kept] == [row[1] for row in kept]
    correct = sum(row[2] for row in kept)
    assert done.returncode == (0 if correct else 1)
    assert f"{ASKED}: {correct}/4 right" in done.stdout
    scores = json.loads((morning / "run" / "eval_results.json").read_text())
    (measured,) = json.loads((morning / "run" / "efficacy.json").read_text())
    assert measured["exact_match"] == pytest.approx(scores["eval_exact_match"])
    assert measured["f1"] == pytest.approx(scores["eval_f1"])
    again = command("test-qa-efficacy.py", "cfg.json", "--samples", "2", "--seed", "1", cwd=morning)
    assert f"{ASKED}: " in again.stdout
    assert rows(morning, "SELECT sample_num, sample_seq FROM model_efficacy") == [(6, "4,2")]
    first, second = rows(morning, "SELECT seq_ids FROM sample_indices ORDER BY id")
    assert second[0].split(",") == first[0].split(",")[:2]
    unseen = command("test-qa-efficacy.py", "cfg.json", "--unseen", cwd=morning)
    assert unseen.returncode == 2
    assert "is left: this model was asked all 4 questions before" in unseen.stderr


def test_other_questions_of_a_file_of_the_same_name_are_told_apart(morning):
    """The database knows a file by its name; what it expects says that the questions are others."""
    words = ("--split", "train", "--all", "--seed", "1")
    assert (
        "other data" not in command("test-qa-efficacy.py", "cfg.json", *words, cwd=morning).stderr
    )
    again = command("test-qa-efficacy.py", "cfg.json", *words, cwd=morning)
    assert "other data" not in again.stderr
    with closing(sqlite3.connect(morning / "stack_trace.db")) as database:
        database.execute("UPDATE answers SET expected = 'another' WHERE seq_index IN (1, 3)")
        database.commit()
    unseen = command("test-qa-efficacy.py", "cfg.json", *words[:2], "--unseen", cwd=morning)
    assert "2 questions kept under this name are of other data; rename the file" in unseen.stderr
    assert unseen.returncode != 2  # these two are not taken for asked


def test_a_run_is_named_by_its_folder_too(morning):
    words = ("--all", "--seed", "1")
    by_cfg = command("test-qa-efficacy.py", "cfg.json", *words, cwd=morning)
    by_run = command("test-qa-efficacy.py", "run", *words, cwd=morning)
    assert by_run.stdout.splitlines()[:-1] == by_cfg.stdout.splitlines()[:-1]
    with chdir(morning):
        assert by_cfg.stdout.startswith(huggin.examine("run", seed=1).in_words())


@pytest.mark.slow
def test_every_checkpoint_and_the_figure_of_them(morning):
    done = command(
        "test-qa-efficacy.py", "cfg.json", "--checkpoints", "--all", "--db", "other.db", cwd=morning
    )
    assert done.returncode in (0, 1), done.stderr
    assert [
        entry["step"] for entry in json.loads((morning / "run" / "efficacy.json").read_text())
    ] == [3, 6, 8]
    assert not (morning / "stack_trace.db").exists()
    drawn = command("graph-efficacy", "run", cwd=morning)
    assert drawn.stdout == "run/graphs/efficacy.png\n", drawn.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--samples", "0"], "--samples: 0: must be 1 or more"),
        (["--samples", "1", "--all"], "not allowed with argument"),
        (
            ["--checkpoint", "nowhere"],
            "--checkpoint nowhere: not in run; give its own run",
        ),
        (["--checkpoint", "run/graphs"], "run/graphs: no trained model"),
        (["--checkpoint", "run", "--checkpoints"], "not allowed with argument"),
        (["--max-samples", "2", "--all"], "--max-samples: is for --until-correct"),
        (["--all", "--predictions", "."], "--predictions .: name a file"),
    ],
)
def test_refusals(morning, words, said):
    done = command("test-qa-efficacy.py", "cfg.json", *words, cwd=morning)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (morning / "stack_trace.db").exists()


def test_a_stopped_run_is_asked_at_its_newest_checkpoint(morning):
    (morning / "run" / "model.safetensors").unlink()
    (morning / "run" / "trainer_state.json").unlink()
    shutil.rmtree(morning / "run" / "checkpoint-8")
    done = command("test-qa-efficacy.py", "cfg.json", "--samples", "1", cwd=morning)
    assert "run, step 6, asked questions.json: " in done.stdout, done.stderr


def test_a_torn_model_is_passed_over_for_the_newest_checkpoint(morning):
    whole = command("test-qa-efficacy.py", "cfg.json", "--all", "--seed", "1", cwd=morning)
    os.truncate(morning / "run" / "model.safetensors", 1000)
    done = command("test-qa-efficacy.py", "cfg.json", "--all", "--seed", "1", cwd=morning)
    assert done.returncode == whole.returncode
    assert "model.safetensors has another size" in done.stderr
    assert "checkpoint-8 is used" in done.stderr
    assert done.stdout.splitlines()[:2] == whole.stdout.splitlines()[:2]


def test_other_data_is_another_model_type_state(morning):
    cfg = json.loads((morning / "cfg.json").read_text())
    shutil.copy(cfg["validation_file"], morning / "other.json")
    (morning / "cfg.json").write_text(json.dumps(cfg | {"validation_file": "other.json"}))
    done = command("test-qa-efficacy.py", "cfg.json", "--all", cwd=morning)
    assert "run, step 8, asked other.json: " in done.stdout, done.stderr
    (measured,) = json.loads((morning / "run" / "efficacy.json").read_text())
    assert measured["data"] == "other.json"


def change_cfg(folder, **changes):
    cfg = json.loads((folder / "cfg.json").read_text()) | changes
    (folder / "cfg.json").write_text(json.dumps(cfg))
    return cfg


def test_what_a_run_is_comes_from_its_recording(morning, records):
    """A cfg of another run beside it gives the run neither its names nor its settings."""
    whole = command("test-qa-efficacy.py", "cfg.json", "--all", "--seed", "1", cwd=morning)
    (morning / "other.json").write_text(json.dumps(records))
    change_cfg(
        morning,
        train_file="other.json",
        pretrained_model=True,
        max_answer_length=1,
        max_seq_length=62,
        output_dir="mine",
    )
    words = ("test-qa-efficacy.py", "cfg.json", "--all", "--seed", "1", "--output-dir", "run")
    done = command(*words, cwd=morning)
    assert done.returncode == whole.returncode, done.stderr
    assert done.stdout.splitlines()[:-1] == whole.stdout.splitlines()[:-1]
    assert "(all from the training data: " in done.stdout
    states = [row for (row,) in rows(morning, "SELECT model_type_state FROM model_efficacy")]
    assert states == [STATE]
    (line,) = done.stderr.splitlines()
    assert line == (
        "run: trained with pretrained_model False (cfg: True), train_file questions.json (cfg: "
        "other.json), max_seq_length 64 (cfg: 62), max_answer_length 30 (cfg: 1); the cfg's values "
        "are not used"
    )
    assert whole.stderr == ""


def test_training_questions_are_those_of_the_run(morning, records):
    """The cfg's training data is another file than the run's, and is the one that is asked."""
    asked = [{**entry, "question": f"{entry['question']} Tell me!"} for entry in records]
    (morning / "other.json").write_text(json.dumps(asked))
    change_cfg(morning, train_file="other.json", validation_file="other.json")
    done = command("test-qa-efficacy.py", "cfg.json", "--all", cwd=morning)
    assert "run, step 8, asked other.json: " in done.stdout, done.stderr
    assert "from the training data" not in done.stdout
    done = command("test-qa-efficacy.py", "cfg.json", "--all", "--split", "train", cwd=morning)
    assert f"{ASKED}: " in done.stdout, done.stderr
    assert "(all from the training data: " in done.stdout


def test_training_data_that_is_gone_is_said(morning):
    facts = json.loads((morning / "run" / "recording" / "run.json").read_text())
    facts["cfg"]["train_file"] = "gone.json"
    facts["data_name"] = "gone.json"
    (morning / "run" / "recording" / "run.json").write_text(json.dumps(facts))
    done = command("test-qa-efficacy.py", "cfg.json", "--all", cwd=morning)
    assert "the training data, gone.json, is not here; so no score says which" in done.stderr
    assert "run, step 8, asked questions.json: " in done.stdout


def test_training_data_that_has_changed_is_said(morning, records):
    """No score is said to come from it, and nothing is rewound on its questions."""
    records = [*records[:3], {**records[3], "question": "What else?"}]  # not tracked
    (morning / "questions.json").write_text(json.dumps(records))
    path = morning / "run" / "recording" / "run.json"
    facts = json.loads(path.read_text())
    facts["cfg"]["train_file"] = str(morning / "questions.json")
    path.write_text(json.dumps(facts))
    for split in ("train", "validation"):
        words = ("test-qa-efficacy.py", "cfg.json", "--all", "--split", split)
        done = command(*words, cwd=morning)
        assert "the training data, questions.json, has changed since the training;" in done.stderr
        assert "from the training data" not in done.stdout
    done = command("rewind", "run", cwd=morning)
    assert done.stderr == "huggin rewind: error: questions.json has changed since run was trained\n"


def test_an_evaluation_does_not_replace_the_scores_of_a_run(morning):
    """They would be those of another model, and count as measured before the training."""
    before = (morning / "run" / "eval_results.json").read_bytes()
    done = command("run_qa.py", "cfg.json", "--do_train", "false", cwd=morning)
    assert done.returncode == 2
    assert "run: holds a trained run, whose scores an evaluation would replace" in done.stderr
    assert (morning / "run" / "eval_results.json").read_bytes() == before
    words = ("--do_train", "false", "--model_name_or_path", "run", "--pretrained_model", "true")
    for _ in range(2):
        done = command("run_qa.py", "cfg.json", *words, "--output_dir", "again", cwd=morning)
        assert done.returncode == 0, done.stderr


def test_a_first_right_answer_is_no_measurement(morning):
    """Its EM would be 1/n by construction."""
    done = command("test-qa-efficacy.py", "cfg.json", "--max-samples", "2", cwd=morning)
    assert f"{ASKED}: " in done.stdout, done.stderr
    assert "EM " not in done.stdout.replace("EM and F1 take", "")
    assert "EM and F1 take a fixed number of questions: --samples N, or --all" in done.stdout


@pytest.mark.slow
def test_questions_without_answer_are_scored_apart(tiny_cfg, records, tmp_path):
    for entry in records[:3]:
        none = {**entry, "id": f"{entry['id']}-none", "answers": {"text": [], "answer_start": []}}
        records = [*records, none]
    (tmp_path / "two.json").write_text(json.dumps(records))
    two = {"train_file": "two.json", "validation_file": "two.json", "version_2_with_negative": True}
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(**two)))
    trained = command("run_qa.py", "cfg.json", cwd=tmp_path)
    done = command("test-qa-efficacy.py", "cfg.json", "--all", cwd=tmp_path)
    for text in (trained.stdout, done.stdout):
        assert re.search(
            r"^HasAns: EM [\d.]+ %, F1 [\d.]+ % over 4 questions with an answer", text, re.M
        )
        assert re.search(r"^NoAns: EM [\d.]+ %, F1 [\d.]+ % over 3 questions without", text, re.M)
    (measured,) = json.loads((tmp_path / "run" / "efficacy.json").read_text())
    scores = json.loads((tmp_path / "run" / "eval_results.json").read_text())
    assert measured["parts"] == {name: scores[f"eval_{name}"] for name in measured["parts"]}
    has, none = (measured["parts"][f"{name}_exact"] for name in ("HasAns", "NoAns"))
    assert measured["exact_match"] == pytest.approx((4 * has + 3 * none) / 7)


def test_what_cannot_be_kept_is_not_recorded_either(morning):
    (morning / "run" / "efficacy.json").write_text("{")
    done = command("test-qa-efficacy.py", "cfg.json", "--all", cwd=morning)
    assert done.returncode == 2
    assert "efficacy.json: its content: Invalid JSON" in done.stderr
    assert not (morning / "stack_trace.db").exists()


def test_ids_that_occur_twice_are_refused_before_asking(morning, records):
    questions = [{**entry, "id": "same"} for entry in records]
    (morning / "same.json").write_text(json.dumps(questions))
    cfg = json.loads((morning / "cfg.json").read_text()) | {"validation_file": "same.json"}
    (morning / "cfg.json").write_text(json.dumps(cfg))
    words = ("test-qa-efficacy.py", "cfg.json", "--all", "--predictions", "p.json")
    done = command(*words, cwd=morning)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--predictions p.json: records 1 and 2 have one id, 'same'" in done.stderr
    assert not (morning / "stack_trace.db").exists()


def test_predictions_that_cannot_be_written_are_refused_before_asking(morning):
    words = ("test-qa-efficacy.py", "cfg.json", "--all", "--predictions", "cfg.json/p.json")
    done = command(*words, cwd=morning)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cfg.json/p.json: cannot be written" in done.stderr


def test_distinct_questions_are_counted(morning):
    for _ in range(2):
        words = ("test-qa-efficacy.py", "cfg.json", "--all", "--seed", "1")
        done = command(*words, cwd=morning)
    assert "of 8 correct in all calls so far (4 different questions)" in done.stdout


def test_graph_efficacy_of_nothing_measured(morning):
    done = command("graph-efficacy", "run", cwd=morning)
    assert done.returncode == 2
    assert "run: no efficacy measured; run test-qa-efficacy.py" in done.stderr


@pytest.mark.slow
def test_the_driver_draws_also_where_nothing_was_right(morning):
    questions = json.loads(
        Path(json.loads((morning / "cfg.json").read_text())["train_file"]).read_text()
    )
    for question in questions:  # "the", which no answer is equal to, articles being left out
        question["answers"] = {
            "text": ["Muninn are the ravens of Odin. They fly over the world"],
            "answer_start": [11],
        }
    (morning / "hard.json").write_text(json.dumps(questions))
    facts = json.loads((morning / "run" / "recording" / "run.json").read_text())
    facts["max_answer_length"] = 2
    (morning / "run" / "recording" / "run.json").write_text(json.dumps(facts))
    change_cfg(morning, validation_file="hard.json")
    environment = {
        key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")
    }
    done = subprocess.run(
        [toolkit() / "get-model-output", "cfg.json"],
        cwd=morning,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 1, done.stderr
    pdf = morning / re.search(r"^PDF +(.*)$", done.stdout, re.MULTILINE)[1]
    assert re.fullmatch(r"qa-output-\d{4}-\d\d-\d\d-\d{6}\.gv\.pdf", pdf.name)
    assert re.search(r"^answer +.* \(wrong\), by run$", done.stdout, re.MULTILINE)
    assert "not answered right: " in pdf.with_suffix("").read_text()
    assert "expected" in pdf.with_suffix("").read_text()


def test_node_logits_of_a_snapshot(morning):
    done = command("graph-node-logits.py", "run", "--step", "8", "--node", "2", cwd=morning)
    assert done.stdout == "run/graphs/node-logits-step-8.png\n", done.stderr
    done = command("graph-node-logits.py", "run", "--step", "7", cwd=morning)
    assert "--step 7: no snapshot of the nodes; there are some at 0, 4, 8" in done.stderr


def test_looking_up_questions(morning):
    show = [
        command("squad-interface.py", "2", "--cfg", "cfg.json", cwd=morning).stdout.splitlines()
    ]
    assert show[0][0] == "index      2 (id q2)"
    assert show[0][3] == "expected   ravens"
    found = command("squad-interface.py", "--search", "THEY fly", "--cfg", "cfg.json", cwd=morning)
    assert found.stdout == "3: What do they fly over?\n"
    for words, said in (
        (["9"], "9: no such question; there are 0 to 3"),
        (["--search", "xyz"], "no question holds"),
    ):
        done = command("squad-interface.py", *words, "--cfg", "cfg.json", cwd=morning)
        assert done.returncode == 2
        assert said in done.stderr


def test_a_context_longer_than_the_model_is_shown_without_a_warning(morning):
    text = "Odin owns the ravens. " * 200
    record = {
        "id": "a",
        "context": text,
        "question": "Who?",
        "answers": {"text": ["Odin"], "answer_start": [0]},
    }
    (morning / "long.json").write_text(json.dumps([record]))
    (morning / "cfg.json").write_text(
        json.dumps(
            json.loads((morning / "cfg.json").read_text()) | {"validation_file": "long.json"}
        )
    )
    done = command("squad-interface.py", "0", "--cfg", "cfg.json", cwd=morning)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(re.search(r"tokens +(\d+)", done.stdout)[1]) > 1000


def test_duplicates(morning):
    for _ in range(2):
        command("test-qa-efficacy.py", "cfg.json", "--samples", "1", "--seed", "5", cwd=morning)
    (drawn,) = set(rows(morning, "SELECT seq_ids FROM sample_indices"))
    done = command("squad-interface.py", "--duplicates", cwd=morning)
    assert done.stdout == f"{STATE}: {drawn[0]}\n"
