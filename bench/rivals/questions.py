"""The question-answering pipeline of transformers 4: seconds and answers for batches of a size."""

import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from measure import serve  # noqa: E402


def main() -> None:
    """MODEL QUESTIONS TOKENS STRIDE LONGEST; answers {"size": n} with seconds and the texts of the answers."""
    from transformers import AutoModelForQuestionAnswering, PreTrainedTokenizerFast, pipeline

    folder, questions, tokens, stride, longest = sys.argv[1:]
    model = AutoModelForQuestionAnswering.from_pretrained(folder)
    file = str(Path(folder) / "tokenizer.json")
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=file, padding_side="right", **names)
    pipe = pipeline("question-answering", model=model, tokenizer=tokenizer)
    asked = json.loads(Path(questions).read_text(encoding="utf-8"))
    limits = {"max_seq_len": int(tokens), "doc_stride": int(stride), "max_answer_len": int(longest)}
    limits["align_to_words"] = False  # tokens, as SQuAD's scripts have them

    def answers(size: int) -> dict[str, Any]:
        begun = time.perf_counter()
        found = pipe(
            question=asked["question"], context=asked["context"], batch_size=size, **limits
        )
        return {"seconds": time.perf_counter() - begun, "answers": [one["answer"] for one in found]}

    serve(answers)


if __name__ == "__main__":
    main()
