"""Tokenizers of every kind, trained on the texts of a test.

So a test says what the kind of tokenizer does to a script, and not which words one model's
vocabulary lacks.
"""

from collections.abc import Callable, Iterable

from datasets import Dataset
from tokenizers import (
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

VOCABULARY = 8000
SPECIAL = {
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "mask_token": "[MASK]",
}
WORDS = list(SPECIAL.values())


def wordpiece(texts: Iterable[str], lowercase: bool) -> Tokenizer:
    """As BERT's: cased, or uncased, which also drops accents and other combining marks."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=WORDS, show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def byte_level_bpe(texts: Iterable[str]) -> Tokenizer:
    """As RoBERTa's and GPT-2's: a character can become several tokens."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=WORDS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def unigram(texts: Iterable[str]) -> Tokenizer:
    """As XLM-RoBERTa's: words with the blank before them, after NFKC."""
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=VOCABULARY, special_tokens=WORDS, unk_token="[UNK]", show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return backend


KINDS: dict[str, Callable[[list[str]], Tokenizer]] = {
    "WordPiece, cased": lambda texts: wordpiece(texts, lowercase=False),
    "WordPiece, uncased": lambda texts: wordpiece(texts, lowercase=True),
    "byte-level BPE": byte_level_bpe,
    "unigram": unigram,
}


def train_tokenizer(kind: str, texts: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of one of KINDS, with [CLS] question [SEP] context [SEP] around its tokens."""
    backend = KINDS[kind](texts)
    cls, sep = ((word, backend.token_to_id(word)) for word in ("[CLS]", "[SEP]"))
    if kind == "byte-level BPE":
        backend.post_processor = processors.RobertaProcessing(sep, cls, add_prefix_space=False)
    else:
        backend.post_processor = processors.BertProcessing(sep, cls)
    names = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=names, **SPECIAL)


def texts_of(records: Dataset) -> list[str]:
    """Each context and question, once."""
    return list(dict.fromkeys([*records["context"], *records["question"]]))
