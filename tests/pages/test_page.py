"""The page that plays a training back: its numbers are the recording's, its texts stay texts."""

import base64
import hashlib
import json
import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from huggin.analysis.lens import layer_answers, lens_of_answer, probabilities, snapshot_of_answer
from huggin.analysis.nodes import snapshots
from huggin.common.errors import UserError
from huggin.common.text import printable
from huggin.pages.page import ASSETS, SCRIPTS, made_before
from huggin.pages.page_run import page_of_attention
from huggin.pages.page_sample import CUT, LONGEST, PER_NAT, as_script, packed, pieces_of
from huggin.recording.answer import AnswerFacts, AnswerInside, Attention, read_answer
from huggin.recording.reader import Recording
from tests.conftest import ROOT, command
from tests.pages.pages import (
    HOSTILE,
    data_in,
    hostile_window,
    page_of,
    unpacked,
    with_arrays,
    write_by_hand,
)
from tests.recordings import window

OLDER = ROOT / "tests" / "data" / "0.1.0" / "run"


@pytest.fixture(scope="module")
def page(made_once, pretrained_run):
    """The page of a run with three tracked samples."""
    folder = made_once("a page", lambda folder: page_of(folder, pretrained_run))
    return next(folder.glob("gv-graphs/*.html"))


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1.5, np.nan], [-np.inf, 65504]], np.float16),
        np.random.default_rng(0).normal(size=(7, 2, 3)).astype(np.float32),
        np.arange(1000, dtype=np.int32).reshape(-1, 1) - 500,
        np.array([3, 1, 2], np.uint16),
        np.array([[255, 0], [0, 255]], np.uint8),
        np.zeros((0, 4), np.float16),
    ],
)
def test_packing_loses_nothing(array):
    value = json.loads(as_script(packed(array)))
    np.testing.assert_array_equal(unpacked(value), array)
    assert unpacked(value).dtype == array.dtype


def test_neighbours_that_are_alike_take_little_room():
    steps = np.arange(0, 20_000, 7, dtype=np.int32)
    assert len(packed(steps)["data"]) < 100


def test_the_arrays_are_those_of_the_recording(page, pretrained_run):
    recording = Recording(pretrained_run)
    (run,) = with_arrays(data_in(page))["runs"]
    assert len(run["samples"]) == 3
    for number, sample in enumerate(run["samples"]):
        probes = recording.probes(number)
        shown = sample["probes"]
        np.testing.assert_array_equal(shown["step"], probes.step)
        np.testing.assert_array_equal(shown["start"], probes.start_logits.astype(np.float16))
        np.testing.assert_array_equal(shown["end"], probes.end_logits.astype(np.float16))
        np.testing.assert_array_equal(shown["first"], probes.predicted_start)
        np.testing.assert_array_equal(shown["last"], probes.predicted_end)
        assert sample["question"] == recording.tracked(number).question
        assert sample["missing"] == {}
    np.testing.assert_array_equal(run["curves"]["loss"], recording.steps.loss.astype(np.float32))
    assert run["missing"] == {}


def test_the_lens_is_within_three_percent(page, pretrained_run):
    recording = Recording(pretrained_run)
    sample = with_arrays(data_in(page))["runs"][0]["samples"][1]
    shown = np.exp(-sample["lens"]["end"].astype(float) / PER_NAT)
    true = probabilities(recording.lens(1).end_logits)
    likely = true > 1e-6
    assert likely.sum() > 100
    assert np.abs(shown / true - 1)[likely].max() < 0.033
    lowest = np.nan_to_num(layer_answers(recording, 1).lowest_right, nan=-1)
    np.testing.assert_array_equal(sample["lens"]["lowest_right"], lowest)


def test_the_shares_are_those_of_the_nodes(page, pretrained_run):
    recording = Recording(pretrained_run)
    shares = with_arrays(data_in(page))["runs"][0]["samples"][0]["shares"]
    found = snapshots(recording)
    token = recording.tracked().gold_start
    expected = found.shares(0, token)[-1]
    nodes = shares["nodes"][-1, 0, token]
    np.testing.assert_array_equal(shares["values"][-1, 0, token], expected[nodes].astype("f2"))
    assert expected[nodes[0]] == expected.max()
    margin = shares["margin"]
    total = found.margin_shares(token, margin["rival"])[-1].sum()
    assert margin["total"][-1] == pytest.approx(total, rel=1e-5)


def test_questions_are_named_with_their_texts(page, pretrained_run):
    questions = data_in(page)["runs"][0]["questions"]
    assert questions["counts"]["hardest"] == len(questions["rows"]) == 4
    assert "no_texts" not in questions
    assert questions["rows"][0]["question"] == "Who owns the ravens?"
    assert questions["rows"][0]["answer"] == "Odin"
    tracked = [window.index for window in Recording(pretrained_run).facts.samples]
    shown = {row["sample"]: row["index"] for row in questions["rows"]}
    assert [shown[number] for number in range(3)] == tracked


def test_teachers_are_those_of_the_recording(page, pretrained_run):
    recording = Recording(pretrained_run)
    pushes = recording.pointers
    for sample in data_in(page)["runs"][0]["samples"]:
        sums = np.bincount(recording.questions.index, pushes[:, 1 + sample["number"]])
        named = sample["teachers"]["proponents"] + sample["teachers"]["opponents"]
        assert named
        for each in named:
            assert each["push"] == pytest.approx(sums[each["index"]])
            assert each["index"] != sample["index"]
        assert all(each["push"] > 0 for each in sample["teachers"]["proponents"])


def test_the_page_loads_nothing_and_runs_its_own_script_only(page):
    text = page.read_text("utf-8")
    assert re.search(r"https?:|//[a-z]+\.", text) is None
    for kind, tag in (("script", "<script>"), ("style", "<style>")):
        (own,) = re.findall(f"{tag}(.*?)</{kind}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text
    assert text.count("<script") == 2
    assert re.search(r"\son[a-z]+=|javascript:|<link|<iframe|@import|url\(", text) is None


def test_texts_enter_as_text_alone():
    banned = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")
    for name in SCRIPTS:
        script = (ASSETS / name).read_text("utf-8")
        assert [word for word in banned if word in script] == [], name


def test_the_licence_of_the_plotter_is_in_the_page(page):
    assert "uPlot 1.6.32" in page.read_text("utf-8")
    assert "Copyright (c) 2022 Leon Sorokin" in page.read_text("utf-8")


def test_hostile_texts_stay_text(tmp_path):
    run = write_by_hand(tmp_path / HOSTILE[9:12], hostile_window(), window(4))
    page = page_of(tmp_path, run.path)
    text = page.read_text("utf-8")
    assert text.count("</script>") == 2
    assert "<img" not in text
    sample = data_in(page)["runs"][0]["samples"][0]
    assert sample["question"] == sample["answer"] == printable(HOSTILE)
    assert sample["pieces"][1][1] == printable(HOSTILE)


def test_a_long_text_is_cut(tmp_path):
    run = write_by_hand(tmp_path / "run", hostile_window("ab " * 400_000))
    page = page_of(tmp_path, run.path)
    assert page.stat().st_size < 300_000
    sample = data_in(page)["runs"][0]["samples"][0]
    assert sample["question"].endswith(CUT)
    assert len(sample["question"]) == LONGEST + len(CUT)


def test_tokens_are_shown_as_they_are_written():
    tokens = ["[CLS]", "who", "?", "[SEP]", "od", "##in", "flies", "[SEP]"]
    parts = ["special", *["question"] * 2, "special", *["context"] * 3, "special"]
    offsets = [(0, 0), (0, 3), (3, 4), (0, 0), (4, 6), (6, 8), (9, 14), (0, 0)]
    texts = {"question": "Who?", "context": "The Odin\tflies."}
    shown = window(8, tokens=tokens, parts=parts, offsets=offsets, **texts)
    pieces = pieces_of(shown)
    assert [text for _, text in pieces] == [
        *["[CLS]", "Who", "?", "[SEP]"], *["Od", "in", "flies", "[SEP]"],
    ]  # fmt: skip
    assert [before for before, _ in pieces] == [" ", " ", "", " ", " ", "", "\t", " "]


def test_without_places_tokens_have_their_own_names():
    assert pieces_of(window(3, tokens=["a", "##b", "c"])) == [("", "a"), ("", "b"), (" ", "c")]


def test_an_older_recording_says_what_it_lacks(tmp_path):
    (run,) = data_in(page_of(tmp_path, OLDER))["runs"]
    assert "an older version of the toolkit" in run["missing"]["questions"]
    for sample in run["samples"]:
        assert list(sample["missing"]) == ["lens", "teachers"]
        assert sample["lens"] is None
        assert sample["shares"]["margin"]


def test_a_recording_without_samples_has_a_page(tmp_path):
    (run,) = data_in(page_of(tmp_path, write_by_hand(tmp_path / "run").path))["runs"]
    assert run["samples"] == []
    assert run["curves"]["of"] == 3


def test_data_that_is_gone_is_said(tmp_path, pretrained_run):
    run = shutil.copytree(pretrained_run, tmp_path / "run")
    facts = json.loads((run / "recording" / "run.json").read_text())
    facts["cfg"]["train_file"] = "gone.json"
    (run / "recording" / "run.json").write_text(json.dumps(facts))
    questions = data_in(page_of(tmp_path, run))["runs"][0]["questions"]
    assert "gone.json: no such file any more" in questions["no_texts"]
    assert questions["rows"][0]["question"] == ""


def test_several_runs_and_another_folder(tmp_path, tiny_run):
    page = page_of(tmp_path, tiny_run, OLDER, words=("--out", "pages"))
    assert re.fullmatch(r"qa-training-\d{4}-\d\d-\d\d-\d{6}\.html", page.name)
    assert page.parent == tmp_path / "pages"
    names = [run["name"] for run in data_in(page)["runs"]]
    assert len(set(names)) == 2


def test_pages_of_the_same_second_do_not_replace_each_other(tmp_path):
    run = write_by_hand(tmp_path / "run", window(4))
    assert len({page_of(tmp_path, run.path) for _ in range(3)}) == 3


def test_a_folder_without_a_run(tmp_path):
    done = command("create-page", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing recorded here" in done.stderr
    assert not (tmp_path / "gv-graphs").exists()


def test_the_page_of_an_answer(tmp_path):
    page = page_of(tmp_path, OLDER, words=("--answer",))
    assert re.fullmatch(r"qa-output-\d{4}-\d\d-\d\d-\d{6}\.html", page.name)
    answer = read_answer(Recording(OLDER).run)
    data = with_arrays(data_in(page))
    (run,) = data["runs"]
    (sample,) = run["samples"]
    assert (data["kind"], run["answered"]) == ("answer", answer.facts.answered)
    np.testing.assert_array_equal(sample["probes"]["end"][0], answer.end_logits.astype("f2"))
    assert sample["lens"]["first"] == 1
    layers = run["layers"]
    assert sample["lens"]["start"].shape == (1, layers, len(answer.start_logits))
    assert sample["shares"]["logits"][0, 0] == pytest.approx(answer.start_logits, abs=0.01)
    assert list(sample["missing"]) == ["attention", "words"]


def test_the_attention_of_an_answer_and_its_words():
    weights = np.array([[[[0.5, 0.5]], [[1, 0]]]], np.float16)  # (layers, heads, of, tokens)
    shown = window(2, tokens=["a", "b"], parts=["special", "context"])
    facts = AnswerFacts("state", 0, shown, "b", True, 0.5, 1, 1)
    answer = AnswerInside(facts, np.zeros(2), np.zeros(2), {}, Attention([1], weights))
    page = with_arrays(page_of_attention(answer))
    assert (page["of"], page["layers"], page["heads"]) == ([1], 1, 2)
    assert page["weights"].tolist() == [[[[0.5, 0.5], [1, 0]]]]


def test_an_answer_of_other_weights_has_no_shares():
    recording = Recording(OLDER)
    answer = read_answer(recording.run)
    other = replace(answer, start_logits=answer.start_logits + 1)
    for find in (snapshot_of_answer, lens_of_answer):
        with pytest.raises(UserError, match="in another precision"):
            find(recording, other)
    unknown = replace(answer, facts=replace(answer.facts, step=10**6))
    with pytest.raises(UserError, match="the head of step 1000000 is not in the recording"):
        snapshot_of_answer(recording, unknown)


def test_a_page_is_kept_if_the_run_was_not_trained_since(tmp_path):
    run = write_by_hand(tmp_path / "a <run>", window(4))
    first = page_of(tmp_path, run.path, words=("--if-needed",))
    assert page_of(tmp_path, run.path, words=("--if-needed",)) == first
    other = write_by_hand(tmp_path / "other", window(4))
    second = page_of(tmp_path, other.path, words=("--if-needed",))
    assert second != first
    os.utime(run.segments("steps")[-1][1], (2**31, 2**31))
    assert page_of(tmp_path, run.path, words=("--if-needed",)) not in (first, second)


def test_the_page_of_another_run_in_its_place_is_not_kept(tmp_path):
    """Its steps are older than the page of the run that was there."""
    run = write_by_hand(tmp_path / "run", window(4)).path
    page = page_of(tmp_path, run)
    other = write_by_hand(tmp_path / "other", window(4))
    facts = json.loads(other.facts.read_text())
    other.facts.write_text(json.dumps(facts | {"run_id": "another"}))
    for _, steps in other.segments("steps"):
        os.utime(steps, (0, 0))
    run.rename(tmp_path / "earlier")
    other.path.rename(run)
    assert made_before(page.parent, [Recording(run)]) is None


def test_a_page_is_old_once_an_answer_was_explained(tmp_path):
    run = write_by_hand(tmp_path / "run", window(4))
    page = page_of(tmp_path, run.path)
    assert made_before(page.parent, [Recording(run.path)]) == page
    kept = run.explanations / "question 1" / "explanation.json"
    kept.parent.mkdir(parents=True)
    kept.touch()
    os.utime(kept, (2**31, 2**31))
    assert made_before(page.parent, [Recording(run.path)]) is None


def test_an_answer_is_of_one_run(tmp_path):
    done = command("create-page", OLDER, OLDER, "--answer", cwd=tmp_path)
    assert done.returncode == 2
    assert "--answer is about one run" in done.stderr
