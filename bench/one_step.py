"""One training step of a BERT: forward, backward, AdamW, as in any version of transformers."""

from pathlib import Path
from typing import Any

import torch

BASE = {"vocab_size": 30522}  # the other defaults of BertConfig are BERT-base's


class Training:
    """A model with random weights and one random batch; runs in our and the rivals' venvs."""

    def __init__(self, config: Path | None, batch: int, tokens: int) -> None:
        from transformers import AutoModelForQuestionAnswering, BertConfig

        torch.manual_seed(0)
        shape = BertConfig.from_pretrained(config) if config else BertConfig(**BASE)
        self.model = AutoModelForQuestionAnswering.from_config(shape)
        self.model.train()
        ids = torch.randint(5, shape.vocab_size, (batch, tokens))
        places = torch.randint(tokens, (2, batch))
        self.batch = {"input_ids": ids, "start_positions": places[0], "end_positions": places[1]}
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5)

    @property
    def head(self) -> torch.nn.Linear:
        """From a token's hidden units to its two logits."""
        return self.model.qa_outputs

    def step(self) -> tuple[Any, Any]:
        """Make one step; return its loss and the norm of its gradients, both scalars.

        Its gradients, clipped, and its `output` are there until the next step.
        """
        self._optimizer.zero_grad()
        self.output = self.model(**self.batch)
        self.output.loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        return self.output.loss, norm
