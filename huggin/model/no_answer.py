"""Whether a model can say that a question has no answer."""

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from huggin.common.errors import UserError
from huggin.model.hooks import undisturbed


def refuse_blind_no_answer(tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel) -> None:
    """Raise UserError if the token that stands for "no answer" does not see the context.

    That is [CLS], or the first token where there is none. A model that reads from left to right
    gives it the same logits whatever the question is.
    """
    encoded = tokenizer("1", "2 3")
    ids = encoded["input_ids"]
    slot = ids.index(tokenizer.cls_token_id) if tokenizer.cls_token_id in ids else 0
    context = encoded.sequence_ids().index(1)
    other = list(ids)
    other[context] = next(token for token in range(len(tokenizer)) if token not in ids)
    with undisturbed(model):
        pair = (model(input_ids=torch.tensor([one], device=model.device)) for one in (ids, other))
        before, after = (output.start_logits[0, slot] for output in pair)
    if torch.equal(before, after):
        what = f"{type(model).__name__} reads from left to right, so its 'no answer', token {slot},"
        advice = "set it to false, or choose a model that reads in both directions"
        raise UserError(f"version_2_with_negative: {what} does not see the context; {advice}")
