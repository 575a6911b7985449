"""LIME over words, and what it is compared with, on models whose answer depends on known words."""

from itertools import product

import numpy as np
import pytest
import torch

from huggin.lime.explanation import Request
from huggin.lime.masks import Masks, distance_weights, random_perturbations
from huggin.lime.predictor import Predictor, Target
from huggin.lime.quality import compare, leave_one_out
from huggin.lime.steps import explain
from huggin.lime.surrogate import linear_regression_coefficients
from huggin.lime.words.rivals import integrated_gradients, node_shares
from huggin.lime.words.scene import (
    TextModel,
    TextScene,
    TokenSpan,
    best_token_spans,
    make_text_scene,
    span_logs,
)
from huggin.lime.words.text import cut, tokens_of_words
from huggin.model.loading import load_trained
from huggin.qa.arguments import DataArguments
from huggin.qa.features import track_sample
from tests.conftest import CONTEXT, record
from tests.lime.words.planted_text import (
    DATA,
    EFFECT,
    FIRST,
    RIVAL,
    SECOND,
    place_of,
    predictor_of,
    scene_of,
    target_of,
    text_model_of,
    window_of,
)

HIDING = ("mask", "delete", "pad")
BINARY = 2 ** np.arange(9)  # a number for each mask of nine segments


@pytest.fixture(scope="module")
def window(tokenizer):
    return window_of(tokenizer)


def effects(predictor: Predictor[TextScene, TokenSpan], method: str) -> dict[str, float]:
    """What a method says of each word."""
    scene = predictor.scene
    target = target_of(scene.window)
    if method == "LIME":
        request = Request("hadamard", 257, 0, "logit", 3, "words", scene.hide)
        values = explain(predictor, [target], request)[0].surrogate.coefficients
    elif method == "leave-one-out":
        values = leave_one_out(lambda on: predictor.scores(on, target, "logit"), scene.count)
    else:
        values = integrated_gradients(scene, target, "logit").values
    return dict(zip(scene.texts, values.tolist(), strict=True))


# A planted word, a planted pair


@pytest.mark.parametrize("hide", HIDING)
@pytest.mark.parametrize("method", ["LIME", "leave-one-out", "integrated gradients"])
def test_one_known_word_is_found(method, hide, tokenizer, tmp_path):
    found = effects(predictor_of(tokenizer, tmp_path, pair=False, hide=hide), method)
    assert found.pop(FIRST) == pytest.approx(2 * EFFECT, abs=1e-3)  # of the start and of the end
    assert max(map(abs, found.values())) < 1e-3


@pytest.mark.parametrize("hide", HIDING)
@pytest.mark.parametrize(
    ("method", "each"),
    [("LIME", 1.0), ("leave-one-out", 2.0), ("integrated gradients", 1.0)],
)
def test_a_known_pair_is_found(method, each, hide, tokenizer, tmp_path):
    """Leave-one-out gives the whole effect to both, integrated gradients half to each."""
    found = effects(predictor_of(tokenizer, tmp_path, pair=True, hide=hide), method)
    tolerance = 0.35 if method == "LIME" else 1e-3  # by the kernel, more than half are seen
    for word in (FIRST, SECOND):
        assert found.pop(word) == pytest.approx(each * EFFECT, rel=tolerance)
    assert max(map(abs, found.values())) < 0.15 * EFFECT


def test_standard_errors_cover_the_truth_of_all_masks(tokenizer, tmp_path):
    """As for pictures: 95 % of 200 explanations, of a score that is not linear in the words."""
    predictor = predictor_of(tokenizer, tmp_path, pair=True, over=False)
    window = predictor.scene.window
    kept = tokens_of_words(window, target_of(window, over=False).both)
    places = predictor.scene.segments[-len(BINARY) :]
    model = predictor.scene.text_model
    scene = make_text_scene(window, places, kept, "words", "mask", model)
    assert SECOND in scene.texts
    target = target_of(scene.window, over=False)
    asker = Predictor(scene, [target], tmp_path / "all.npz")
    everything = np.array(list(product([True, False], repeat=scene.count)))
    table = asker.scores(everything, target, "logit")
    numbers = everything @ BINARY
    noise = np.random.default_rng(0).normal(scale=0.3, size=len(table))
    by_mask = dict(zip(numbers.tolist(), table + noise, strict=True))
    full = Masks(everything, np.arange(len(everything)), weighted=True)
    truth = linear_regression_coefficients(full, table + noise, distance_weights(full)).coefficients
    inside = []
    for seed in range(200):
        masks = random_perturbations("hadamard", scene.count, 129, seed)
        asked = np.array([by_mask[number] for number in (masks.on @ BINARY).tolist()])
        found = linear_regression_coefficients(masks, asked, distance_weights(masks))
        inside.append(np.abs(found.coefficients - truth) < 1.96 * found.standard_errors)
    assert 0.92 < np.mean(inside) < 0.98


def test_integrated_gradients_are_complete(tokenizer, tmp_path, tiny_run):
    """To 1 % of the change of a score that is curved, also of a trained model."""
    predictor = predictor_of(tokenizer, tmp_path, pair=True, over=False)
    target = target_of(predictor.scene.window, over=False)
    curved = integrated_gradients(predictor.scene, target, "logit")
    _, scene = trained(tiny_run)
    bert = integrated_gradients(scene, Target("a", (6, 7)), "probability")
    for found in (curved, bert):
        assert found.change != 0
        assert found.error <= 0.01
    assert curved.values.sum() == pytest.approx(curved.change, rel=0.01)


def test_the_shares_of_nodes_add_up_to_the_lead(tokenizer, window):
    scene = scene_of(window, text_model_of(tokenizer, pair=False))
    found = node_shares(scene, target_of(window))
    assert found.rival == RIVAL
    assert found.shares.tolist() == pytest.approx([2.0, 2 * EFFECT])
    assert found.lead == pytest.approx(found.shares.sum())
    assert found.ranking.tolist() == [1, 0]


# How words are hidden


@pytest.mark.parametrize("hide", HIDING)
def test_what_the_model_is_asked(hide, tokenizer, tmp_path):
    predictor = predictor_of(tokenizer, tmp_path, pair=False, hide=hide)
    scene = predictor.scene
    window = scene.window
    on = np.ones((1, scene.count), bool)
    on[0, scene.texts.index("e")] = False
    predictor.scores(on, target_of(window), "logit")
    asked = predictor.scene.text_model.model.asked[-1]
    at = place_of(window, "e")
    ids = asked["input_ids"][0].tolist()
    full = window.inputs["input_ids"]
    if hide == "delete":
        assert ids == full[:at] + full[at + 1 :]
    else:
        wanted = tokenizer.mask_token_id if hide == "mask" else tokenizer.pad_token_id
        assert ids == [*full[:at], wanted, *full[at + 1 :]]
    attention = asked["attention_mask"][0].tolist()
    assert attention == [int(hide != "pad" or place != at) for place in range(len(ids))]


def trained(run) -> tuple[object, TextScene]:
    """The tokenizer of a run, and a scene of its first question."""
    tokenizer, model, _ = load_trained(run, torch.device("cpu"))
    own = track_sample(record(0, "Who owns the ravens?", "Odin"), 0, tokenizer, DATA)
    text_model = TextModel("tiny", model, tokenizer, DATA, "a")
    words = cut(own, "words")
    return tokenizer, make_text_scene(own, words, {6, 7}, "words", "delete", text_model)


def test_deleting_words_is_asking_about_a_text_without_them(tiny_run, tmp_path):
    tokenizer, scene = trained(tiny_run)
    target = Target("a", (7, 7))
    predictor = Predictor(scene, [target], tmp_path / "a.npz")
    on = np.ones((1, scene.count), bool)
    on[0, [scene.texts.index(word) for word in ("fly", "over")]] = False
    shorter = CONTEXT.replace("fly over ", "")
    own = track_sample(record(0, "Who owns the ravens?", "Odin", shorter), 0, tokenizer, DATA)
    inputs = {name: torch.tensor([ids]) for name, ids in own.inputs.items()}
    with torch.no_grad():
        output = scene.text_model.model(**inputs)
    log_p, log_rest = span_logs(output.start_logits, output.end_logits, (7, 7))
    wanted = float(log_p - log_rest)
    assert predictor.scores(on, target, "logit")[0] == pytest.approx(wanted, rel=1e-4)


def test_the_answers_words_stay(tokenizer, window):
    scene = scene_of(window, text_model_of(tokenizer, pair=False))
    on = np.zeros((1, scene.count), bool)
    seen = scene.seen(on)[0]
    visible = [token for token, is_seen in zip(window.tokens, seen) if is_seen]
    assert visible == ["[CLS]", "[SEP]", "d", "m", "[SEP]"]


def test_what_was_asked_is_not_asked_again(tokenizer, tmp_path):
    first = predictor_of(tokenizer, tmp_path, pair=True)
    on = random_perturbations("binomial", first.scene.count, 40, seed=0).on
    scores = first.scores(on, target_of(first.scene.window), "logit")
    again = predictor_of(tokenizer, tmp_path, pair=True)
    assert (again.scores(on, target_of(first.scene.window), "logit") == scores).all()
    assert again.scene.text_model.model.asked == []
    other = predictor_of(tokenizer, tmp_path, pair=True, hide="delete")
    other.scores(on, target_of(first.scene.window), "logit")
    assert len(other.scene.text_model.model.asked) > 0


# Scores and answers


def test_log_odds_are_exact_where_the_probability_is_nearly_1_or_0():
    start = torch.tensor([[60.0, 0.0, 0.0]], dtype=torch.float64)
    end = torch.tensor([[0.0, -60.0, 0.0]], dtype=torch.float64)
    log_p, log_rest = span_logs(start, start, (0, 0))
    assert float(log_rest) == pytest.approx(np.log(4) - 60, abs=1e-9)  # two of each, by others
    assert float(log_p) == pytest.approx(-2 * np.exp(-60) * 2, abs=1e-20)
    log_p, log_rest = span_logs(end, end, (1, 1))
    assert float(log_p) == pytest.approx(2 * (-60 - np.log(2)), abs=1e-9)
    assert float(log_rest) == pytest.approx(0, abs=1e-20)


def test_the_best_span_is_in_order_in_the_context_and_short_enough():
    start = torch.tensor([[9.0, 5.0, 0.0, 1.0, 0.0]])
    end = torch.tensor([[9.0, 0.0, 0.0, 2.0, 4.0]])
    allowed = torch.tensor([[False, True, True, True, True]])
    for longest, wanted in ((5, [1, 4]), (3, [1, 3]), (1, [1, 1])):
        data = DataArguments(max_answer_length=longest)
        assert best_token_spans(start, end, allowed, data).tolist() == [wanted]
    unanswerable = DataArguments(version_2_with_negative=True)
    assert best_token_spans(start, end, allowed, unanswerable).tolist() == [[0, 0]]


# Do methods agree?


EFFECTS = np.array([4.0, 2.0, 1.0, *np.linspace(0.3, -0.1, 9)])
METHODS = ("LIME", "leave-one-out", "integrated gradients")


def planted_scores(on: np.ndarray) -> np.ndarray:
    return on @ np.where(EFFECTS >= 1, EFFECTS, 0)


def test_methods_that_agree_are_relied_on():
    values = dict(zip(METHODS, (EFFECTS, EFFECTS + 0.01, EFFECTS * 2)))
    found = compare(values, planted_scores, top=3, seed=0)
    assert found.with_lime("leave-one-out") == (1, 3)
    assert found.with_lime("integrated gradients")[1] == 3
    assert found.beats_chance[0] in values
    assert found.verdict([]).startswith("Verdict: rely on the top segments: all methods")
    said = found.verdict(["the held-out R² is 0.20"])
    assert said.startswith("Verdict: take the top segments with care: the held-out R² is 0.20; all")


def test_a_method_that_disagrees_is_named_and_bad_ones_are_not_relied_on():
    values = dict(zip(METHODS, (-EFFECTS, EFFECTS, -EFFECTS)))
    found = compare(values, planted_scores, top=3, seed=0)
    assert found.verdict([]).startswith("Verdict: trust leave-one-out most")
    none = compare(dict.fromkeys(values, -EFFECTS), planted_scores, top=3, seed=0)
    assert none.verdict([]).startswith("Verdict: rely on none")


@pytest.mark.parametrize("count", [2, 3, 5, 8, 10, 20])
def test_methods_of_pure_noise_seldom_agree(count):
    """With five top segments of five, any two methods share all of them."""
    rng = np.random.default_rng(count)
    agreed = 0
    for _ in range(200):
        values = {name: rng.normal(size=count) for name in METHODS[:2]}
        found = compare(values, lambda on: on @ np.ones(count), top=5, seed=0)
        agreed += found.agrees(METHODS[1])
    assert agreed <= 200 * 0.08  # 5 % and what 200 draws may add


def test_an_order_of_noise_seldom_beats_random_ones():
    rng = np.random.default_rng(0)
    effects = rng.normal(size=12)
    good = 0
    for seed in range(100):
        values = {"LIME": rng.normal(size=12)}
        good += bool(compare(values, lambda on: on @ effects, top=3, seed=seed).beats_chance)
    assert good <= 12
