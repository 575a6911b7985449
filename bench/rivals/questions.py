"""The question-answering pipeline of transformers 4: seconds and answers for batches of a size.

Arguments: MODEL QUESTIONS TOKENS STRIDE LONGEST. A request is {"size": n}.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from measure import serve  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForQuestionAnswering,
    PreTrainedTokenizerFast,
    pipeline,
)


def main() -> None:
    """Load the model; answer requests with the seconds taken and the texts of the answers."""
    folder, questions, tokens, stride, longest = sys.argv[1:]
    pipe = pipeline(
        "question-answering",
        model=AutoModelForQuestionAnswering.from_pretrained(folder),
        tokenizer=load_tokenizer(Path(folder)),
    )
    asked = json.loads(Path(questions).read_text(encoding="utf-8"))
    limits = {
        "max_seq_len": int(tokens),
        "doc_stride": int(stride),
        "max_answer_len": int(longest),
        "align_to_words": False,  # answers are tokens, as in SQuAD's scripts
    }

    def answers(size: int) -> dict[str, Any]:
        begun = time.perf_counter()
        found = pipe(**asked, batch_size=size, **limits)
        seconds = time.perf_counter() - begun
        return {"seconds": seconds, "answers": [one["answer"] for one in found]}

    serve(answers)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a model's folder."""
    return PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        padding_side="right",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


if __name__ == "__main__":
    main()
