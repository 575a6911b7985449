"""A Trainer that evaluates by EM and F1, whatever keys its training has."""

from typing import Any

import numpy as np
import torch
from accelerate.data_loader import prepare_data_loader
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import Trainer

from huggin.model.hooks import undisturbed
from huggin.qa.answers import mean_loss, mean_scores, ranked_answers, score_answer
from huggin.qa.arguments import DataArguments

ROW = "row"  # the number of a feature, in a batch of the evaluation


class EvaluatingTrainer(Trainer):
    """Hugging Face's Trainer, which answers the questions of its evaluation data."""

    def __init__(
        self,
        *args: Any,
        data_args: DataArguments,
        eval_records: Dataset | None = None,
        **kwargs: Any,
    ) -> None:
        """eval_records: the questions of the features in `eval_dataset`."""
        super().__init__(*args, **kwargs)
        self.data_args = data_args
        self.eval_records = eval_records

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """EM and F1 in percent over the validation questions, and their loss (see `mean_loss`).

        The model's mode and all random states are restored afterwards.
        """
        features = self.eval_dataset if eval_dataset is None else eval_dataset
        records = self.eval_records
        if records is None:
            raise ValueError("evaluation needs eval_records, the questions of the features")
        with undisturbed(self.model):
            start_logits, end_logits = self.logits_of(features)
        contexts = records["context"]
        logits = (start_logits, end_logits)
        ranked = ranked_answers(contexts, features, *logits, self.data_args, most=1)
        expected = records["answers"][:]
        squad2 = self.data_args.version_2_with_negative
        pairs = zip(ranked, expected, strict=True)
        scored = [score_answer(best.text, right, squad2) for (best,), right in pairs]
        scores = mean_scores(scored, expected, squad2)
        scores["loss"], scores["loss_error"] = mean_loss(features, start_logits, end_logits)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in scores.items()}
        metrics[f"{metric_key_prefix}_samples"] = len(ranked)
        self.log(metrics)
        self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def logits_of(self, features: Dataset) -> list[np.ndarray]:
        """Start and end logits, each (features, tokens), in the order of the features."""
        loader = self.get_eval_dataloader(features)
        output = self.evaluation_loop(loader, "Evaluation")
        rows = np.asarray(output.label_ids)
        ordered = []
        for logits in output.predictions:
            in_order = np.full((len(features), logits.shape[1]), np.nan, dtype=np.float32)
            in_order[rows] = logits  # several processes repeat rows to fill up the last batch
            ordered.append(in_order)
        missing = len(features) - len(np.unique(rows))
        if missing:
            raise RuntimeError(f"{missing} of {len(features)} features were not evaluated")
        return ordered

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """Batches of all evaluation features, the longest first, so that little is padded.

        The Trainer's own would follow the keys of the training: it groups by length, and drops the
        last batch. Each batch has the numbers of its features as `row`.
        """
        features = self.eval_dataset if eval_dataset is None else eval_dataset
        names = self.processing_class.model_input_names
        numbered = features.select_columns(names).add_column(ROW, range(len(features)))
        lengths = [len(tokens) for tokens in features["input_ids"]]
        numbered = numbered.select(np.argsort(lengths, kind="stable")[::-1])
        loader = DataLoader(
            numbered,
            batch_size=self.args.eval_batch_size,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return prepare_data_loader(
            loader,
            device=self.args.device,
            num_processes=self.args.world_size,
            process_index=self.args.process_index,
            put_on_device=True,
            even_batches=True,
        )

    def prediction_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[None, tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
        """No loss, start and end logits, and in the place of labels the numbers of the features."""
        rows = inputs.pop(ROW)
        with torch.no_grad(), self.compute_loss_context_manager():
            output = model(**self._prepare_inputs(inputs))
        return None, (output.start_logits.detach(), output.end_logits.detach()), rows
