"""Records -> the windows that a Recorder watches."""

from collections.abc import Iterable, Mapping
from typing import Any

from transformers import PreTrainedTokenizerFast

from huggin.common.window import Window
from huggin.qa.arguments import DataArguments
from huggin.qa.features import track_sample
from huggin.qa.records import normalised


def track(
    records: Iterable[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerFast,
    max_length: int = 384,
    doc_stride: int = 128,
) -> list[Window]:
    """The tracked samples of a Recorder: of each record the window that holds its answer.

    records: id, question, context and answers as SQuAD has them. tokenizer: a fast one, of the
    model. max_length: tokens in a window. doc_stride: tokens that neighbouring windows share.
    Raises UserError for a record that is none.
    """
    data = DataArguments(max_seq_length=max_length, doc_stride=doc_stride)
    checked = [
        normalised(dict(record), f"record {number}")
        for number, record in enumerate(records, start=1)
    ]
    return [track_sample(record, at, tokenizer, data) for at, record in enumerate(checked)]
