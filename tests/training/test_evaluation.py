"""The evaluation takes all questions in the order of the data, whatever keys the training has."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from huggin.recording.checkpoints import mark_complete
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from tests.conftest import CONTEXT, ROOT, command, python, record, train
from tests.pages.pages import data_in

WORDS = [
    *("Huginn", "Muninn", "ravens", "Odin", "fly", "over", "the"),
    *("world", "each", "day", "return", "dinner", "time"),
]
LEARNS = {"num_train_epochs": 30, "learning_rate": 5e-3, "save_steps": 1000}
PATHS = {"train_file": "many.json", "validation_file": "many.json"}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with `many.json`: 11 questions over contexts of very different lengths."""
    lengths = (9, 2, 13, 1, 7, 12, 3, 5, 11, 4, 6)
    questions = []
    for number, length in enumerate(lengths):
        words = WORDS[-length:]
        answer = words[3 * number % length]
        questions.append(record(number, f"Who {WORDS[number]} ?", answer, context=" ".join(words)))
    (tmp_path / "many.json").write_text(json.dumps(questions))
    return tmp_path


def scores_of(folder: Path, keys: dict) -> tuple[dict, dict]:
    """What run_qa.py and test-qa-efficacy.py --all measure of one model."""
    (folder / "cfg.json").write_text(json.dumps(keys))
    done = command("run_qa.py", "cfg.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    asked = command("test-qa-efficacy.py", "cfg.json", "--all", cwd=folder)
    assert asked.returncode in (0, 1), asked.stderr
    run = RunFolder(folder / "run")
    (measured,) = json.loads(run.efficacy.read_text())
    return json.loads(run.eval_results.read_text()), measured


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"train_sampling_strategy": "group_by_length"},
        {"train_sampling_strategy": "sequential"},
        {"dataloader_drop_last": True},
        {"per_device_eval_batch_size": 3, "eval_accumulation_steps": 1},
        {"accelerator_config": {"dispatch_batches": True, "even_batches": False}},
        {"accelerator_config": {"split_batches": True}, "dataloader_drop_last": True},
        {"train_sampling_strategy": "group_by_length", "eval_strategy": "steps", "eval_steps": 90},
    ],
)
def test_both_commands_measure_the_same(folder, tiny_cfg, changes):
    changes = LEARNS | PATHS | changes
    scores, measured = scores_of(folder, tiny_cfg(**changes))
    assert scores["eval_samples"] == measured["asked"] == 11
    assert scores["eval_exact_match"] == pytest.approx(measured["exact_match"])
    assert scores["eval_f1"] == pytest.approx(measured["f1"])
    assert scores["eval_f1"] > 0


@pytest.mark.slow
def test_two_processes_with_uneven_shards(folder, tiny_cfg):
    changes = LEARNS | PATHS | {"per_device_eval_batch_size": 2}
    uneven = {"accelerator_config": {"even_batches": False}}
    (folder / "cfg.json").write_text(json.dumps(tiny_cfg(**changes, **uneven)))
    torchrun = [python(), "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    line = [*torchrun, ROOT / "run_qa.py", "cfg.json"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    command("test-qa-efficacy.py", "cfg.json", "--all", cwd=folder)
    run = RunFolder(folder / "run")
    scores = json.loads(run.eval_results.read_text())
    (measured,) = json.loads(run.efficacy.read_text())
    assert scores["eval_samples"] == measured["asked"] == 11
    assert scores["eval_exact_match"] == pytest.approx(measured["exact_match"])
    assert scores["eval_f1"] == pytest.approx(measured["f1"])


@pytest.mark.slow
def test_the_best_model_is_named_after_its_own_step(tmp_path, tiny_cfg):
    """A learning rate that changes nothing leaves the first evaluation the best one."""
    best = {"load_best_model_at_end": True, "metric_for_best_model": "f1", "learning_rate": 1e-12}
    keys = tiny_cfg(**best, eval_strategy="steps", eval_steps=3, save_steps=3)
    scores, measured = scores_of(tmp_path, keys)
    run = RunFolder(tmp_path / "run")
    weights = "model.safetensors"
    assert (run.path / weights).read_bytes() == (run.checkpoint(3) / weights).read_bytes()
    assert (scores["step"], measured["step"]) == (3, 3)
    asked = command("test-qa-efficacy.py", "cfg.json", "--samples", "1", cwd=tmp_path)
    assert "run, step 3, asked questions.json: " in asked.stdout


@pytest.mark.slow
def test_a_best_checkpoint_of_another_model_is_refused(tmp_path, tiny_cfg):
    """Its list of hashes is right, and a tensor is missing: nothing random is kept as the best."""
    best = {"load_best_model_at_end": True, "metric_for_best_model": "f1", "learning_rate": 1e-12}
    keys = tiny_cfg(**best, eval_strategy="steps", eval_steps=3, save_steps=3)
    scores_of(tmp_path, keys | {"max_steps": 6})
    checkpoint = RunFolder(tmp_path / "run").checkpoint(3)
    tensors = load_file(checkpoint / "model.safetensors")
    del tensors["qa_outputs.bias"]
    save_file(tensors, checkpoint / "model.safetensors", {"format": "pt"})
    mark_complete(checkpoint)
    done = command("run_qa.py", "cfg.json", "--max_steps", "8", cwd=tmp_path)
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, "checkpoint-3" in last) == (2, True)
    assert "not the weights of this model: qa_outputs.bias" in last
    shutil.rmtree(checkpoint)  # as it says
    done = command("run_qa.py", "cfg.json", "--max_steps", "8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_score_on_training_questions_says_so(tiny_cfg, tmp_path, records):
    """On the terminal of both commands, and in efficacy.json, which figures draw."""
    cfg = tmp_path / "cfg.json"
    cfg.write_text(json.dumps(tiny_cfg()))
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert "over 4 questions of questions.json (all from the training data: " in done.stdout
    asked = command("test-qa-efficacy.py", "cfg.json", "--all", cwd=tmp_path)
    assert "(all from the training data: " in asked.stdout
    held_out = [*records[:1], record(9, "Whose are the ravens?", "Odin", context=CONTEXT)]
    (tmp_path / "other.json").write_text(json.dumps(held_out))
    cfg.write_text(json.dumps(tiny_cfg(validation_file="other.json")))
    asked = command("test-qa-efficacy.py", "cfg.json", "--all", cwd=tmp_path)
    assert "(1 of them from the training data: " in asked.stdout
    assert "2 of 2" not in asked.stdout
    kept = json.loads((tmp_path / "run" / "efficacy.json").read_text())
    assert [(entry["data"], entry["trained_on"]) for entry in kept] == [
        ("other.json", 1),
        ("questions.json", 4),
    ]


def test_a_score_on_held_out_questions_says_nothing(tiny_cfg, tmp_path):
    held_out = [record(9, "Whose are the ravens?", "Odin", context=CONTEXT)]
    (tmp_path / "other.json").write_text(json.dumps(held_out))
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(validation_file="other.json")))
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    (scored,) = [line for line in done.stdout.splitlines() if "questions of" in line]
    assert scored.endswith("over 1 questions of other.json")


def test_a_validation_question_can_be_tracked(tiny_cfg, tmp_path):
    """It is followed through the training, and nothing takes it for a question of that data."""
    held_out = [record(9, "Whose are the ravens?", "Odin", context=CONTEXT)]
    (tmp_path / "other.json").write_text(json.dumps(held_out))
    keys = tiny_cfg(validation_file="other.json", probe_data="validation", do_eval=False)
    train(keys, tmp_path)
    recording = Recording(tmp_path / "run")
    assert recording.tracked().question == "Whose are the ravens?"
    assert recording.tracked().answer == "Odin"
    drawn = command("graph-questions.py", "run", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert "has changed" not in drawn.stderr
    made = command("create-page.py", "run", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (run,) = data_in(next((tmp_path / "gv-graphs").glob("*.html")))["runs"]
    assert "no_texts" not in run["questions"]
    assert {row["sample"] for row in run["questions"]["rows"]} == {None}
