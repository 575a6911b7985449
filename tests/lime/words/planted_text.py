"""A model for question answering whose answer depends on words that are known."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from huggin.common.window import Window
from huggin.lime.predictor import Predictor, Target
from huggin.lime.words.scene import TextModel, TextScene, TokenSpan, make_text_scene
from huggin.lime.words.text import cut, tokens_of_words
from huggin.qa.arguments import DataArguments
from huggin.qa.features import track_sample
from tests.conftest import LETTERS, record

ANSWER = "d"
RIVAL = "m"
FIRST = "b"
SECOND = "k"
EFFECT = 3.0  # of FIRST, or of FIRST and SECOND together
DATA = DataArguments(max_seq_length=64, doc_stride=16)


class Planted(nn.Module):
    """Start and end logits are 0, but the answer's: 1, and EFFECT if the clues are seen.

    The embedding of a word says whether it is the answer (unit 0), FIRST (1) or SECOND (2). With
    `pair` both clues are needed, else FIRST alone.
    """

    def __init__(self, tokenizer: Any, pair: bool) -> None:
        super().__init__()
        self.pair = pair
        self.words = nn.Embedding(len(tokenizer), 3)
        self.qa_outputs = nn.Linear(2, 2)
        with torch.no_grad():
            self.words.weight.zero_()
            for unit, word in enumerate((ANSWER, FIRST, SECOND)):
                self.words.weight[tokenizer.convert_tokens_to_ids(word), unit] = 1.0
            self.qa_outputs.weight[:] = torch.tensor([1.0, EFFECT])
            self.qa_outputs.bias.zero_()
        self.asked: list[dict[str, Tensor]] = []

    @property
    def device(self) -> torch.device:
        return self.words.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.words.weight.dtype

    @property
    def base_model(self) -> nn.Module:
        return self

    def get_input_embeddings(self) -> nn.Embedding:
        return self.words

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: Any) -> Any:
        self.asked.append({"input_ids": input_ids, "attention_mask": attention_mask})
        states = self.words(input_ids) * attention_mask[..., None]  # (texts, tokens, 3)
        clues = states[:, :, 1:].sum(dim=1)
        clue = clues[:, 0] * clues[:, 1] if self.pair else clues[:, 0]
        own = states[:, :, 0]
        logits = self.qa_outputs(torch.stack([own, own * clue[:, None]], dim=-1))
        return SimpleNamespace(start_logits=logits[..., 0], end_logits=logits[..., 1])


def window_of(tokenizer: Any, answer: str = ANSWER) -> Window:
    """`z ?` over the letters a to p, each a token."""
    return track_sample(record(1, "z ?", answer, context=LETTERS), 1, tokenizer, DATA)


def place_of(window: Window, word: str) -> int:
    """The token that a letter is."""
    return window.tokens.index(word)


def target_of(window: Window, over: bool = True) -> Target[TokenSpan]:
    """The answer, over its rival: a score that is a difference of logits."""
    answer = place_of(window, ANSWER)
    rival = place_of(window, RIVAL)
    return Target("answer", (answer, answer), (rival, rival) if over else None)


def scene_of(
    window: Window, text_model: TextModel, hide: str = "mask", over: bool = True
) -> TextScene:
    """The letters as segments; those of the target stay."""
    kept = tokens_of_words(window, target_of(window, over).both)
    return make_text_scene(window, cut(window, "words"), kept, "words", hide, text_model)


def text_model_of(tokenizer: Any, pair: bool) -> TextModel:
    """A planted model that can be asked."""
    model: Any = Planted(tokenizer, pair)
    return TextModel("planted", model, tokenizer, DATA, f"planted {pair}")


def predictor_of(
    tokenizer: Any, folder: Path, pair: bool, hide: str = "mask", over: bool = True
) -> Predictor[TextScene, TokenSpan]:
    """A planted model that is asked about masks of the letters."""
    window = window_of(tokenizer)
    scene = scene_of(window, text_model_of(tokenizer, pair), hide, over)
    return Predictor(scene, [target_of(window, over)], folder / "asked.npz")
