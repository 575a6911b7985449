"""Records -> the windows that a Recorder watches."""

from collections.abc import Iterable, Mapping
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerFast

from huggin.common.errors import BadValue
from huggin.common.window import Window
from huggin.qa.arguments import DataArguments
from huggin.qa.features import refuse_long_questions, track_sample
from huggin.qa.records import normalised


def track(
    records: Iterable[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerFast,
    max_length: int = 384,
    doc_stride: int | None = None,
) -> list[Window]:
    """The tracked samples of a Recorder: of each record the window that holds its answer.

    records: id, question, context and answers as SQuAD has them. tokenizer: a fast one, of the
    model. max_length: tokens in a window. doc_stride: tokens that neighbouring windows share;
    default: a third of max_length, and 128 at most.
    Raises UserError for a record that is none, a question that leaves no room for its context in a
    window, or a stride that does.
    """
    stride = min(128, max_length // 3) if doc_stride is None else doc_stride
    if stride not in range(max_length - 3):
        problem = f"must be from 0 to less than max_length - 3, which is {max_length - 3}"
        raise BadValue("doc_stride", stride, problem)
    data = DataArguments(max_seq_length=max_length, doc_stride=stride)
    checked = [
        normalised(dict(record), f"record {number}")
        for number, record in enumerate(records, start=1)
    ]
    refuse_long_questions(Dataset.from_list(checked), tokenizer, data)
    return [track_sample(record, at, tokenizer, data) for at, record in enumerate(checked)]
