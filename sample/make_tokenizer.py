"""Train the samples' WordPiece vocabularies: questions -> the tokenizer.json of their model.

The result is the same, byte for byte, each time. Its alphabet holds every printable
ASCII character (in lower case, as the tokenizer lowers all text), both at the start of
a word and inside one, so that no English text in ASCII gives an [UNK].
"""

import json
import string
import sys
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the toolkit's own packages, as all of bench/ has it

from huggin.qa.records import read_records  # noqa: E402

MODELS = {"stories.json": "bert-stories", "questions.json": "bert-tiny"}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MAX_VOCABULARY = 2000


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
    """Write the tokenizers' files, and the vocabularies' sizes into config.json."""
    for questions, name in MODELS.items():
        records = list(read_records(HERE / questions))
        texts = [record[of] for of in ("title", "context", "question") for record in records]
        vocabulary = train_vocabulary(texts)
        path = HERE / name / "config.json"
        config = json.loads(path.read_text(encoding="utf-8")) | {"vocab_size": len(vocabulary)}
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        longest = config["max_position_embeddings"]
        tokenizer = BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=longest)
        tokenizer.save_pretrained(HERE / name)


if __name__ == "__main__":
    main()
