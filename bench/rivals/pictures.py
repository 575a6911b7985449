"""One way to ask a classifier about masked pictures, in a process of its own.

It answers with seconds, peak memory and coefficients.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(
    str(Path(__file__).resolve().parents[1])
)  # last: PyPI's lime goes before our lime.py

import numpy as np  # noqa: E402
from measure import ROOT, peak_bytes, serve  # noqa: E402

BATCH = 32  # of the bare model and the packages
Answer = dict[str, Any]


def ours(case: dict[str, Any], model: str) -> Any:
    """LIME's steps of the toolkit; `coefficients` of a sampler, too."""
    sys.path.insert(0, str(ROOT))
    from huggin.lime.classifiers.keras_models import load_classifier
    from huggin.lime.masks import distance_weights, random_perturbations
    from huggin.lime.pictures.scene import Scene
    from huggin.lime.predictor import Predictor, Target
    from huggin.lime.surrogate import linear_regression_coefficients

    classifier = load_classifier(model, pixels="signed" if case["signed"] else "byte")
    scene = Scene("", classifier, case["picture"], case["segments"], case["fill"])
    target = Target("", int(case["target"]))
    predictor = Predictor(scene, [target], Path("predictions.npz"))

    def answer(masks: int, seed: int, sampler: str = "hadamard") -> list[float]:
        drawn = random_perturbations(sampler, scene.count, masks, seed)
        scores = predictor.scores(drawn.on, target, "probability")
        return linear_regression_coefficients(
            drawn, scores, distance_weights(drawn)
        ).coefficients.tolist()

    return answer


def package(case: dict[str, Any], model: str) -> Any:
    """The lime package from PyPI, its masked pictures answered by model.predict in batches."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    from lime.lime_image import LimeImageExplainer

    network, target = keras.saving.load_model(model, compile=False), int(case["target"])

    def answer(masks: int, seed: int) -> list[float]:
        explainer = LimeImageExplainer(random_state=seed)
        asked = {"top_labels": None, "labels": (target,), "num_samples": masks, "batch_size": BATCH}
        given = {"segmentation_fn": lambda _: case["segments"], "hide_color": case["hide"]}
        picture = case["pixels"].astype(float)
        found = explainer.explain_instance(
            picture,
            lambda batch: network.predict(batch.astype(np.float32), verbose=0),
            **asked,
            **given,
        )
        return [value for _, value in sorted(found.local_exp[target])]

    return answer


def captum(case: dict[str, Any], model: str) -> Any:
    """captum's Lime, the same weights on Keras's torch backend, on all cores."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    import torch
    from captum.attr import Lime

    torch.set_num_threads(os.cpu_count() or 1)
    network = keras.saving.load_model(model, compile=False)
    lime, features = (
        Lime(lambda batch: network(batch, training=False)),
        torch.from_numpy(case["segments"]).long(),
    )
    given = {
        "baselines": torch.from_numpy(case["fill_pixels"])[None],
        "target": int(case["target"]),
    }

    def answer(masks: int, seed: int) -> None:
        torch.manual_seed(seed)
        mask = features[None, :, :, None].expand(1, -1, -1, 3)
        with torch.inference_mode():
            pixels = torch.from_numpy(case["pixels"])[None]
            lime.attribute(
                pixels, feature_mask=mask, n_samples=masks, perturbations_per_eval=BATCH, **given
            )

    return answer


def predict(case: dict[str, Any], model: str, how: str) -> Any:
    """The bare model on pictures in memory: predict in batches or one by one, or compiled."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow as tf

    network = keras.saving.load_model(model, compile=False)
    graph = tf.function(lambda batch: network(batch, training=False))

    def answer(masks: int, seed: int) -> float:
        on = np.random.default_rng(seed).random((masks, case["segments"].max() + 1)) < 0.5
        pictures = np.where(on[:, case["segments"]][..., None], case["pixels"], case["fill_pixels"])
        begun = time.perf_counter()
        if how == "compiled":
            for first in range(0, masks, BATCH):
                np.asarray(graph(pictures[first : first + BATCH]))
        elif how == "predict":
            network.predict(pictures, batch_size=BATCH, verbose=0)
        else:
            for picture in pictures:
                network.predict(picture[None], verbose=0)
        return time.perf_counter() - begun

    return answer


def main() -> None:
    """WAY CASE MODEL; answers {"masks": n, "seed": s} with seconds, peak bytes, coefficients."""
    way, case_file, model = sys.argv[1:]
    with np.load(case_file) as saved:
        case = dict(saved)
    ways = {"ours": ours, "lime package": package, "captum": captum}
    answer = ways[way](case, model) if way in ways else predict(case, model, way)

    def timed(**request: Any) -> Answer:
        begun = time.perf_counter()
        found = answer(**request)
        seconds = found if isinstance(found, float) else time.perf_counter() - begun
        return {"seconds": seconds, "peak": peak_bytes(), "found": found}

    serve(timed)


if __name__ == "__main__":
    main()
