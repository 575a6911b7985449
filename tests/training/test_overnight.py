"""Nothing lost, nothing changed, whatever stops the run."""

import json
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

import trainer_qa
from checkpointing import SIGNALS, SafeStop
from huggin.common.errors import UserError
from huggin.qa.config import read_config
from huggin.qa.questions import questions_of
from huggin.recording.checkpoints import damage_of, is_complete, newest_checkpoint
from huggin.recording.exports import recording_summary
from huggin.recording.reader import Recording
from huggin.recording.recorder import Recorder
from huggin.recording.run_folder import RunFolder, locked
from tests.conftest import ROOT, command, process, python, toolkit
from tests.faults.soak import in_words, soak
from tests.training.test_training import same_rows, wait_for_steps, weights
from trainer_qa import QuestionAnsweringTrainer, train_and_evaluate


def train_here(folder: Path, keys: dict) -> int:
    """Train in this process; the exit code."""
    cfg = folder / "cfg.json"
    cfg.write_text(json.dumps(keys | {"output_dir": str(folder / "run")}))
    config, stop = read_config(cfg, []), SafeStop()
    stop.save_minutes = config.recording.save_minutes
    before = {number: signal.getsignal(number) for number in SIGNALS}
    stop.install()
    run = RunFolder(folder / "run")
    try:
        with locked(run):
            return train_and_evaluate(config, run, stop, questions_of(config))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# 1. Recording changes nothing


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"seed": 2, "gradient_accumulation_steps": 2},
        {"seed": 5, "max_grad_norm": 0.1},
        {"seed": 3, "probe_samples": 3, "node_points": 200, "node_layers": "all"},
        {"seed": 4, "eval_strategy": "steps", "eval_steps": 3},
    ],
)
def test_weights_are_the_same_with_and_without_recording(tmp_path, tiny_cfg, changes):
    for name, record in (("on", True), ("off", False)):
        (tmp_path / name).mkdir()
        assert train_here(tmp_path / name, tiny_cfg(record=record, do_eval=False, **changes)) == 0
    assert weights(tmp_path / "on" / "run") == weights(tmp_path / "off" / "run")


@pytest.mark.slow
def test_evaluating_on_the_way_changes_nothing(tmp_path, tiny_cfg):
    for name, changes in (("with", {"eval_strategy": "steps", "eval_steps": 1}), ("without", {})):
        (tmp_path / name).mkdir()
        assert train_here(tmp_path / name, tiny_cfg(**changes)) == 0
    assert weights(tmp_path / "with" / "run") == weights(tmp_path / "without" / "run")


def test_windows_of_all_micro_batches_are_recorded(tmp_path, tiny_cfg):
    keys = tiny_cfg(gradient_accumulation_steps=2, do_eval=False)
    assert train_here(tmp_path, keys) == 0
    recording = Recording(tmp_path / "run")
    asked = recording.questions
    assert asked.step.tolist() == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    both = (asked.start_loss + asked.end_loss).astype(float) / 2
    means = both.reshape(4, 4).mean(axis=1)
    np.testing.assert_allclose(means, recording.steps.loss[1:], rtol=1e-5)
    whole = np.sqrt(np.square(recording.layers.norms.astype(float)).sum(axis=1))
    np.testing.assert_allclose(whole, recording.steps.grad_norm[1:], rtol=1e-5)


# 2. and 3. Exact resume; checkpoints are valid or absent
# (Ctrl-C, SIGTERM and kill -9 at any step are in test_training.py)

PLACES = [
    ("transformers:Trainer._save_optimizer_and_scheduler", 2),  # in the middle of a save
    ("checkpointing:mark_complete", 2),  # saved, the recording flushed, not yet marked
    ("huggin.recording.recorder:Recorder.flush_to_disk", 3),  # saved, the recording not yet flushed
    ("checkpointing:let_older_go", 2),  # marked, the older one not yet gone
    ("trainer_qa:save_beside", 1),  # trained, the model not yet saved
    ("huggin.recording.schema:RecordingWriter.append", 24),  # in the middle of a row
]


@pytest.mark.parametrize(("place", "times"), PLACES)
@pytest.mark.slow
def test_killed_at_the_worst_moment(tmp_path, tiny_cfg, tiny_run, place, times):
    keys = tiny_cfg(save_steps=2, save_total_limit=1)
    (tmp_path / "cfg.json").write_text(json.dumps(keys))
    line = process("tests/training/killed.py", place, times, "cfg.json")
    killed = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert newest_checkpoint(RunFolder(tmp_path / "run")) is not None
    assert train_here(tmp_path, keys) == 0
    assert weights(tmp_path / "run") == weights(tiny_run)
    assert same_rows(tmp_path / "run", tiny_run)
    assert recording_summary(tmp_path / "run")["missing_steps"] == 0
    assert not (tmp_path / "run" / ".saving").exists()


@pytest.fixture
def finished(tiny_run, tmp_path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(tiny_run, tmp_path / "run")))


def test_any_file_cut_or_missing_makes_a_checkpoint_torn(finished, tmp_path, capsys):
    whole = finished.checkpoint(8)
    names = [path.name for path in whole.iterdir()]
    assert len(names) > 7
    for name in names:
        for harm in (lambda path: os.truncate(path, path.stat().st_size // 2), os.unlink):
            torn = Path(shutil.copytree(whole, tmp_path / "torn" / "checkpoint-9"))
            assert is_complete(torn)
            harm(torn / name)
            assert not is_complete(torn), name
            shutil.rmtree(torn)
    shutil.copytree(whole, finished.checkpoint(9))
    (finished.checkpoint(9) / "scheduler.pt").unlink()
    assert newest_checkpoint(finished) == whole
    assert "checkpoint-9: not complete, passed over" in capsys.readouterr().err


def test_safety_checkpoints(tmp_path, tiny_cfg):
    assert (
        train_here(tmp_path, tiny_cfg(save_minutes=1e-9, save_steps=1000, save_total_limit=3)) == 0
    )
    checkpoints = RunFolder(tmp_path / "run").checkpoints()
    assert [step for step, _ in checkpoints] == [6, 7, 8]
    assert all(is_complete(checkpoint) for _, checkpoint in checkpoints)


# 4. Ctrl-C


@pytest.mark.slow
def test_ctrl_c_while_evaluating(tmp_path, tiny_cfg, tiny_run, monkeypatch):
    """The evaluation is aborted, its step is saved, and the next start comes to the same end."""
    original = QuestionAnsweringTrainer.evaluation_loop

    def interrupted(self, *args, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)
        return original(self, *args, **kwargs)

    keys = tiny_cfg(eval_strategy="steps", eval_steps=4, save_steps=1000)
    with monkeypatch.context() as patched:
        patched.setattr(QuestionAnsweringTrainer, "evaluation_loop", interrupted)
        assert train_here(tmp_path, keys) == 130
    assert [step for step, _ in RunFolder(tmp_path / "run").checkpoints()] == [4]
    assert train_here(tmp_path, keys) == 0
    assert weights(tmp_path / "run") == weights(tiny_run)
    assert same_rows(tmp_path / "run", tiny_run)


def test_ctrl_c_before_training_stops_at_once_and_leaves_nothing(tmp_path, tiny_cfg, monkeypatch):
    monkeypatch.setattr(trainer_qa, "build_trainer", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(SystemExit) as stopped:
        train_here(tmp_path, tiny_cfg())
    assert stopped.value.code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["cfg.json"]


@pytest.mark.slow
def test_a_second_ctrl_c_ends_the_process_where_it_is(tmp_path):
    script = tmp_path / "stopped.py"
    script.write_text(
        "import os, signal; from checkpointing import SafeStop; stop = SafeStop(); stop.install();"
        "stop.on_train_begin(None, None, None); os.kill(os.getpid(), signal.SIGINT);"
        "print('waits', flush=True);"
        "os.kill(os.getpid(), signal.SIGINT); print('never', flush=True)"
    )
    done = subprocess.run([python(), script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "waits\n")
    assert "once more stops at once" in done.stderr


def test_a_signal_at_the_end_of_a_step_stops_after_the_next(monkeypatch, tmp_path):
    from transformers import TrainerControl, TrainerState, TrainingArguments

    stop, control = SafeStop(), TrainerControl()
    args, state = (
        TrainingArguments(output_dir=str(tmp_path), report_to="none"),
        TrainerState(max_steps=9),
    )

    def interrupted(_args, *values):
        stop.received = signal.SIGINT  # the handler, while the processes are asked
        return list(values)

    monkeypatch.setattr("checkpointing._over_all_processes", interrupted)
    stop.on_step_end(args, state, control)
    assert (stop.received, control.should_training_stop) == (signal.SIGINT, False)
    stop.on_step_end(args, state, control)
    assert control.should_training_stop and control.should_save


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.slow
def test_a_driver_passes_signals_on_and_stops(tmp_path, tiny_cfg, number, code):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(num_train_epochs=100000, do_eval=False)))
    started = subprocess.Popen(
        [toolkit() / "get-training-output", "cfg.json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_steps(tmp_path / "run", started)
    started.send_signal(number)
    out, err = started.communicate(timeout=60)
    assert started.returncode == code, err
    assert "the same command goes on from there" in out
    assert is_complete(RunFolder(tmp_path / "run").checkpoints()[-1][1])
    assert not (tmp_path / "gv-graphs").exists()


# 5. Full disk, files taken away


@pytest.mark.parametrize(
    ("limit", "save_steps", "said"),
    [(100_000, 20, "not saved: "), (20_000, 1000, "-0.arrow: step ")],
    ids=["checkpoint", "recording"],
)
@pytest.mark.slow
def test_a_full_disk(tmp_path, tiny_cfg, limit, save_steps, said):
    """A limit on the size of files stands for the disk."""
    keys = tiny_cfg(num_train_epochs=30, save_steps=save_steps, do_eval=False)
    (tmp_path / "cfg.json").write_text(json.dumps(keys))

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = command("run_qa.py", "cfg.json", cwd=tmp_path, preexec_fn=limited)
    assert done.returncode == 2, done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("run_qa.py: error: ")]
    assert said in error
    assert "the same command goes on from" in error
    assert "Traceback" not in done.stderr
    assert RunFolder(tmp_path / "run").checkpoints() == []
    assert recording_summary(tmp_path / "run")["missing_steps"] == 0
    assert len(Recording(tmp_path / "run").steps.step) > 5


def test_a_recording_taken_away_costs_no_training(tmp_path, tiny_cfg, monkeypatch):
    original = Recorder.step

    def take_away(self, step, **numbers):
        original(self, step, **numbers)
        if step == 2:
            shutil.rmtree(tmp_path / "run" / "recording")

    monkeypatch.setattr(Recorder, "step", take_away)
    with pytest.raises(
        UserError,
        match=r"taken away while it was recorded; the training is saved in .*checkpoint-3",
    ):
        train_here(tmp_path, tiny_cfg())
    assert newest_checkpoint(RunFolder(tmp_path / "run")) == tmp_path / "run" / "checkpoint-3"


def test_no_folder_to_write_to(tmp_path, tiny_cfg):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(
        UserError, match="no folder to write to: File exists; name another output_dir"
    ):
        train_here(tmp_path, tiny_cfg())


# 8. Several processes


@pytest.mark.slow
def test_two_processes_train_together_stop_together_and_go_on(tmp_path, tiny_cfg):
    keys = tiny_cfg(
        num_train_epochs=10_000, save_steps=100_000, per_device_train_batch_size=1, do_eval=False
    )
    (tmp_path / "cfg.json").write_text(json.dumps(keys))
    line = [
        python(),
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        ROOT / "run_qa.py",
        "cfg.json",
    ]
    started = subprocess.Popen(
        line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for_steps(tmp_path / "run", started)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=90)
    assert out.count("the same command goes on from there") == 1, err
    (stopped,) = [step for step, _ in RunFolder(tmp_path / "run").checkpoints()]
    assert 0 < stopped < 20_000
    (tmp_path / "cfg.json").write_text(
        json.dumps(keys | {"max_steps": stopped + 5, "do_eval": True})
    )
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("EM") == 1
    summary = recording_summary(tmp_path / "run")
    assert (summary["last_step"], summary["missing_steps"], summary["duplicate_steps"]) == (
        stopped + 5,
        0,
        0,
    )

    asked = Recording(tmp_path / "run").questions
    assert asked.step.tolist() == np.repeat(range(1, stopped + 6), 2).tolist()  # one of each


@pytest.mark.slow
def test_two_processes_record_the_windows_that_one_would(tmp_path, tiny_cfg):
    """As a set by epoch; the recorded loss of a step is the mean over both processes' windows.

    The trained weights are those of two processes that record nothing.
    """

    def trained(name, processes, **changes):
        folder = tmp_path / name
        folder.mkdir()
        batch = {"per_device_train_batch_size": 2 // processes, "num_train_epochs": 3}
        (folder / "cfg.json").write_text(json.dumps(tiny_cfg(**batch, do_eval=False, **changes)))
        torchrun = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)]
        line = [python(), *torchrun, ROOT / "run_qa.py", "cfg.json"]
        subprocess.run(line, cwd=folder, capture_output=True, check=True, timeout=300)
        return folder

    epochs = {}
    for processes in (1, 2):
        folder = trained(str(processes), processes)
        recording = Recording(folder / "run")
        seen = recording.questions
        epoch = np.ceil(recording.steps.epoch[seen.step] - 1e-6).astype(int)
        epochs[processes] = set(zip(epoch.tolist(), seen.index.tolist(), seen.window.tolist()))
        loss = (seen.start_loss + seen.end_loss) / 2
        means = np.bincount(seen.step, loss)[1:] / np.bincount(seen.step)[1:]
        assert np.allclose(means, recording.steps.loss[1:], rtol=1e-5)
        assert np.isfinite(recording.pointers).all()
    assert epochs[1] == epochs[2]
    assert len(epochs[1]) > 3
    assert weights(folder / "run") == weights(trained("unrecorded", 2, record=False) / "run")


# 9. The soak


@pytest.mark.slow
def test_a_short_soak(tmp_path, tiny_cfg):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(num_train_epochs=20)))
    tally = soak(tmp_path / "cfg.json", 2, tmp_path)
    assert in_words(tally) == "2 faults, 0 steps missing, 0 twice, weights identical: yes"


@pytest.mark.parametrize(
    ("kept", "lacking"),
    [
        ((), "*model*.safetensors"),
        (("model.safetensors",), "trainer_state.json"),
        (("model.safetensors", "trainer_state.json", "scheduler.pt"), "optimizer.*"),
    ],
)
def test_a_list_that_lacks_a_file_proves_nothing(tiny_run, tmp_path, kept, lacking):
    checkpoint = Path(shutil.copytree(tiny_run, tmp_path / "run")) / "checkpoint-8"
    mark = checkpoint / "complete.json"
    listed = json.loads(mark.read_text())
    mark.write_text(json.dumps({name: listed[name] for name in kept}))
    (checkpoint / "optimizer.pt").unlink()
    assert damage_of(checkpoint) == f"complete.json lists no {lacking}, so it proves nothing"
    assert newest_checkpoint(RunFolder(tmp_path / "run")).name == "checkpoint-6"
