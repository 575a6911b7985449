"""One way to explain an answer by LIME, in a process of its own.

It answers with seconds and the coefficients of the words.
"""

import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(
    str(Path(__file__).resolve().parents[1])
)  # last: PyPI's lime goes before our lime.py

import json  # noqa: E402

import numpy as np  # noqa: E402
from measure import ROOT, serve  # noqa: E402

BATCH = 16  # the toolkit's on a CPU
WORD = "w{}"  # how a word is called in the text that the lime package masks
HIDDEN = "UNKWORDZ"  # what the lime package writes for a hidden word


def ours(case: dict[str, Any], model: str) -> Any:
    """LIME's steps of the toolkit."""
    sys.path.insert(0, str(ROOT))
    import torch

    from huggin.lime.masks import distance_weights, random_perturbations
    from huggin.lime.predictor import Predictor, Target
    from huggin.lime.surrogate import linear_regression_coefficients
    from huggin.lime.words.scene import TextModel, make_text_scene
    from huggin.lime.words.text import cut, tokens_of_words
    from huggin.model.fast_linear import speed_up
    from huggin.model.loading import load_trained, match_tokenizer
    from huggin.qa.arguments import DataArguments
    from huggin.qa.features import track_sample

    data = DataArguments(max_seq_length=case["max_seq_length"], doc_stride=case["doc_stride"])
    tokenizer, network, _ = load_trained(Path(model), torch.device("cpu"))
    match_tokenizer(tokenizer, network, data.max_seq_length)
    window = track_sample(case["record"], 0, tokenizer, data)
    span = tuple(case["span"])
    target = Target("", span)
    kept = tokens_of_words(window, [span])
    text_model = TextModel("", speed_up(network), tokenizer, data, "")
    words = cut(window, "words")
    scene = make_text_scene("", window, words, kept, "words", "mask", text_model)

    def answer(masks: int, seed: int) -> list[float]:
        file = Path(f"predictions-{seed}.npz")
        predictor = Predictor(scene, [target], file)
        drawn = random_perturbations("hadamard", scene.count, masks, seed)
        scores = predictor.scores(drawn.on, target, "logit")
        weights = distance_weights(drawn)
        return linear_regression_coefficients(drawn, scores, weights).coefficients.tolist()

    return answer


def package(case: dict[str, Any], model: str) -> Any:
    """The lime package from PyPI, whose texts are tokenized and asked in batches.

    Its text has a name for each word that can be hidden, so that it masks the same words as ours
    and nothing else. A hidden word becomes as many [MASK] as it has tokens.
    """
    import torch
    from lime.lime_text import LimeTextExplainer
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForQuestionAnswering.from_pretrained(model).eval()
    words = case["words"]  # part, first and last character, tokens
    first, last = case["characters"]

    def masked(text: str) -> tuple[str, str, int]:
        """The question, the context and how far the answer has moved."""
        seen = set(text.split())
        texts = {"question": case["record"]["question"], "context": case["record"]["context"]}
        moved = 0
        for number, (part, begin, end, tokens) in reversed(list(enumerate(words))):
            if WORD.format(number) not in seen:
                hidden = " ".join([tokenizer.mask_token] * tokens)
                texts[part] = texts[part][:begin] + hidden + texts[part][end:]
                if part == "context" and begin < first:
                    moved += len(hidden) - (end - begin)
        return texts["question"], texts["context"], moved

    def classify(texts: list[str]) -> np.ndarray:
        """The log-odds of the answer in a column, which the package takes for a probability."""
        rows = [masked(text) for text in texts]
        scores = np.concatenate(
            [_scores(rows[at : at + BATCH]) for at in range(0, len(rows), BATCH)]
        )
        return scores[:, None]

    def _scores(rows: list[tuple[str, str, int]]) -> np.ndarray:
        batch = tokenizer(
            [row[0] for row in rows],
            [row[1] for row in rows],
            padding=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            output = network(**batch)
        found = []
        for number, (_, _, moved) in enumerate(rows):
            start = batch.char_to_token(number, first + moved, 1)
            end = batch.char_to_token(number, last - 1 + moved, 1)
            log_p = float(
                output.start_logits[number].log_softmax(0)[start]
                + output.end_logits[number].log_softmax(0)[end]
            )
            found.append(log_p - np.log(-np.expm1(log_p)))
        return np.array(found)

    def answer(masks: int, seed: int) -> list[float]:
        explainer = LimeTextExplainer(bow=False, random_state=seed, class_names=["score"])
        text = " ".join(WORD.format(number) for number in range(len(words)))
        asked = {"labels": (0,), "num_features": len(words), "num_samples": masks}
        found = explainer.explain_instance(text, classify, **asked)
        return [effect for _, effect in sorted(found.as_map()[0])]

    return answer


WAYS = {"ours": ours, "lime package": package}


def main() -> None:
    """Answer requests for masks and a seed."""
    way, case, model = sys.argv[1:]
    explain = WAYS[way](json.loads(Path(case).read_text()), model)

    def answer(masks: int, seed: int) -> dict[str, Any]:
        begin = time.perf_counter()
        busy = time.process_time()
        found = explain(masks, seed)
        seconds = time.perf_counter() - begin
        return {"seconds": seconds, "cpu": time.process_time() - busy, "found": found}

    serve(answer)


if __name__ == "__main__":
    main()
