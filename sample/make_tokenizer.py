"""Train the sample's WordPiece vocabulary: questions.json -> bert-tiny/tokenizer.json.

The result is the same, byte for byte, each time. Its alphabet holds every printable
ASCII character (in lower case, as the tokenizer lowers all text), both at the start of
a word and inside one, so that no English text in ASCII gives an [UNK].
"""

import json
import string
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizer

HERE = Path(__file__).resolve().parent
MODEL = HERE / "bert-tiny"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MAX_VOCABULARY = 2000
MAX_LENGTH = 256


def train_vocabulary(texts: list[str]) -> dict[str, int]:
    """Return the vocabulary of a WordPiece trained on the texts."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    printable = {c.lower() for c in string.printable if not c.isspace()}
    seen = {c for text in texts for c in tokenizer.normalizer.normalize_str(text)}
    alphabet = sorted(printable | {c for c in seen if not c.isspace()})
    # Named as special tokens, these keep their order; the trainer's own order varies.
    first = SPECIAL + alphabet + ["##" + c for c in alphabet]
    trainer = trainers.WordPieceTrainer(
        vocab_size=MAX_VOCABULARY, special_tokens=first, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.get_vocab()


def main() -> None:
    """Write the tokenizer files, and the vocabulary's size into config.json."""
    sample = json.loads((HERE / "questions.json").read_text(encoding="utf-8"))
    texts = sample["title"] + sample["context"] + sample["question"]
    vocabulary = train_vocabulary(texts)
    tokenizer = BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=MAX_LENGTH)
    tokenizer.save_pretrained(MODEL)

    path = MODEL / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    if config["vocab_size"] != len(vocabulary):
        config["vocab_size"] = len(vocabulary)
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
