"""The story of lime-answer.py: explain an answer, compare the methods, and follow the training."""

from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from huggin.lime.explained import Request, verdict
from huggin.lime.steps import Say, explain, repeated
from huggin.lime.words.agreement import LIME, compare, table, what_to_believe
from huggin.lime.words.case import TextCase, default_samples, sentences_in_words
from huggin.lime.words.cutting import Place
from huggin.lime.words.found import ByStep, Finding, TextExplanation, finding_of
from huggin.lime.words.others import integrated_gradients, leave_one_out, node_shares
from huggin.lime.words.predictions import TextModel, TextPredictor, answer_text
from huggin.lime.words.report import (
    doubts_about,
    in_words,
    integrated_in_words,
    nodes_in_words,
)
from huggin.lime.words.scene import TextScene, cut, find_spans


@dataclass(frozen=True)
class Told:
    """An explanation, and who was asked for it."""

    one: TextExplanation
    predictor: TextPredictor
    finding: Finding


@dataclass(frozen=True)
class Explaining:
    """How answers are explained: what the user wished, where results go."""

    wishes: Namespace  # of lime-answer.py
    out: Path
    say: Say

    def explain_case(self, case: TextCase) -> list[Told]:
        """Every stage of an explanation, the last one with all that was asked for."""
        wishes = self.wishes
        stages: list[Told] = []
        if wishes.spans:
            kind, places = "spans", find_spans(case.window, wishes.spans)
        elif wishes.by == "sentences":
            kind, places = "sentences", cut(case.window, "sentences")
        elif wishes.by == "auto" and case.is_long:
            kind = "words"
            stages.append(self.stage(case, "sentences", cut(case.window, "sentences"), last=False))
            places, chosen = case.words_of_top_sentences(stages[0].one)
            self.say(f"\nNext: {sentences_in_words(case.window, stages[0].one, chosen)}")
        else:
            kind, places = "words", cut(case.window, "words")
        return [*stages, self.stage(case, kind, places, last=True)]

    def stage(self, case: TextCase, kind: str, places: Sequence[Place], last: bool) -> Told:
        """One scene explained. last: with stability, and compared with the other methods."""
        scene = case.scene(places, kind)
        predictor = case.predictor(scene, self.out / f"predictions-{kind}.npz")
        (one,) = explain(predictor, [case.target], self.request(scene), self.say)
        finding = finding_of(one, case.answer, case.expected)
        for line in ("", *in_words(one, finding)):
            self.say(line)
        more = self.examined(case, one, predictor) if last and not one.surrogate.constant else {}
        return Told(one, predictor, finding_of(one, case.answer, case.expected, **more))

    def request(self, scene: TextScene) -> Request:
        """How a scene is explained."""
        wishes = self.wishes
        usual = default_samples(scene.kind, wishes.sampler, scene.count)
        return Request(
            sampler=wishes.sampler,
            samples=wishes.samples or usual,
            seed=wishes.seed,
            scale=wishes.target,
            top=wishes.top,
            segmenter=scene.kind,
            fill=scene.hide,
            kernel_width=wishes.kernel_width,
            adjust=wishes.adjust,
        )

    def examined(
        self, case: TextCase, one: TextExplanation, predictor: TextPredictor
    ) -> dict[str, Any]:
        """Stability if asked for, the other methods unless they are not wanted, and the verdict."""
        found: dict[str, Any] = {}
        if self.wishes.stability:
            found["stability"] = repeated(predictor, one, self.wishes.stability, self.say)
        against = doubts_about(one, found.get("stability"))
        if self.wishes.only_lime:
            support = f"the held-out R² is {one.surrogate.held_out_r2:.2f}"
            return found | {"believe": verdict("" if against else support, against)}
        return found | self.compared(case, one, predictor, against)

    def compared(
        self,
        case: TextCase,
        one: TextExplanation,
        predictor: TextPredictor,
        against: Sequence[str],
    ) -> dict[str, Any]:
        """LIME beside leave-one-out and integrated gradients; prints the table."""
        scale = one.request.scale
        gradients = integrated_gradients(one.scene, case.text_model, case.target, scale)
        values = {
            LIME: one.surrogate.coefficients,
            "leave-one-out": leave_one_out(predictor, case.target, scale),
            "integrated gradients": gradients.values,
        }

        def scores(on: np.ndarray) -> np.ndarray:
            return predictor.scores(on, case.target, scale)

        agreement = compare(values, scores, one.request.top, one.request.seed)
        believe = what_to_believe(agreement, against)
        for line in ("", *table(agreement), integrated_in_words(gradients)):
            self.say(line)
        facts = {name: getattr(gradients, name) for name in ("change", "missing", "steps")}
        return {"agreement": agreement.compared(), "integrated": facts, "believe": believe}

    def nodes(
        self, case: TextCase, scene: TextScene, nodes_for_half: Callable[[np.ndarray], int]
    ) -> dict[str, Any]:
        """The shares of the last layer's nodes in the answer's lead; prints the first ones."""
        found = node_shares(scene, case.text_model, case.target)
        rival = answer_text(case.window, found.rival)
        half = nodes_for_half(found.shares)
        self.say(nodes_in_words(found, rival, half))
        return {
            "rival": rival,
            "lead": found.lead,
            "nodes_for_half": half,
            "shares": found.shares.tolist(),
        }

    def by_step(
        self, case: TextCase, told: Told, models: Iterable[tuple[int, TextModel]]
    ) -> ByStep:
        """The same scene explained by the model of each step; prints a line for each."""
        scene = told.one.scene
        request = told.one.request
        found = ByStep([], [], [], [], [], [], [])
        for step, text_model in models:
            file = self.out / f"predictions-{scene.kind}-{step}.npz"
            predictor = TextPredictor(scene, text_model, [case.target], file)
            (one,) = explain(predictor, [case.target], request)
            full = predictor.predictions(np.ones((1, scene.count), bool))
            first, last = full.answer[0].tolist()
            found.steps.append(step)
            found.scores.append(float(one.scores[0]))
            found.answers.append(answer_text(case.window, (first, last)))
            found.is_answer.append((first, last) == case.target.plus)
            found.add_surrogate(one.surrogate)
            self.say(
                f"step {step}: {request.scale} {one.scores[0]:.4g}, answers: {found.answers[-1]}"
            )
        self.say(found.in_words(told.finding.top_segments, request))
        return found
