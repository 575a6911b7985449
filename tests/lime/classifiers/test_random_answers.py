"""A model that answers the same picture differently is refused, or its mean answer is explained."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from huggin.lime.classifiers.keras_quietly import keras
from huggin.lime.pictures.reading import Picture, read_picture
from huggin.lime.pictures.scene import make_scene
from huggin.lime.predictor import Predictor, Target
from tests.conftest import command
from tests.lime.conftest import loaded

pytestmark = pytest.mark.slow

LAYERS = keras.layers
SAID = ("--model", "model", "--pixels", "byte", "--segmenter", "grid", "--segments", "4")
DATA = os.environ.get("HUGGIN_TEST_DATA")


def make(folder: Path, layer) -> None:
    """A SavedModel whose layer acts as in training, and a picture."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((16, 16, 3))
    features = LAYERS.Conv2D(8, 3, strides=3)(LAYERS.Rescaling(1 / 255)(inputs))
    bent = layer(LAYERS.Flatten()(features), training=True)
    keras.Model(inputs, LAYERS.Dense(4, activation="softmax")(bent)).export(
        folder / "model", verbose=False
    )
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "a.png")


@pytest.mark.parametrize("layer", [LAYERS.Dropout(0.5), LAYERS.BatchNormalization()])
@pytest.mark.parametrize("script", ["lime.py", "inDeCeptionV3.py"])
def test_a_model_that_answers_at_random_is_refused(script, layer, tmp_path):
    make(tmp_path, layer)
    before = sorted(tmp_path.rglob("*"))
    done = command(script, "a.png", *SAID, "--db", "a.db", cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "model: answers the same picture differently (by 0." in line
    assert "by --allow-random" in line
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("layer", [LAYERS.Dropout(0.5), LAYERS.BatchNormalization()])
def test_the_mean_answer_is_explained(layer, tmp_path):
    make(tmp_path, layer)
    more = ("--allow-random", "--samples", "17", "--classes", "2", "--json", "a.json")
    done = command("lime.py", "a.png", *SAID, *more, "--db", "a.db", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the mean of 16 answers, each picture by itself, as they vary by 0." in done.stdout
    classifier = loaded(str(tmp_path / "model"), pixels="byte")
    taken = classifier.pixels(read_picture(str(tmp_path / "a.png")))[None]
    draws = np.stack([np.asarray(classifier.probabilities(taken))[0] for _ in range(200)])
    [found] = json.loads((tmp_path / "a.json").read_text())
    chance = float(draws[:, 2].std()) + 1e-5  # 4 standard errors of a mean of 16
    assert found["model_prediction"] == pytest.approx(float(draws[:, 2].mean()), abs=chance)


def test_a_model_of_one_mind_is_not_asked_for_means(tmp_path):
    make(tmp_path, LAYERS.Activation("relu"))
    more = ("--allow-random", "--samples", "17", "--db", "a.db")
    done = command("lime.py", "a.png", *SAID, *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the mean of" not in done.stdout


@pytest.mark.skipif(not DATA, reason="HUGGIN_TEST_DATA is not set")
@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_rounding_is_allowed_on_a_real_model(engine, tmp_path):
    classifier = loaded(f"{DATA}/mobilenet_v2_imagenet.keras", pixels="signed", engine=engine)
    picture = read_picture(f"{DATA}/cat-and-dog.jpg")
    scene = make_scene(Picture("a", picture), classifier, "grid", 9, "grey")
    masked = [scene.hide(np.array(hidden)) for hidden in ([], [0, 1], [4, 5, 6])]
    assert classifier.varies(np.stack(masked)) == 0
    predictor = Predictor(scene, [Target("a", 208)], tmp_path / "predictions.npz")
    on = np.random.default_rng(0).random((16, 9)) < 0.5
    on[0] = True
    found = predictor.predictions(on).sure[0, 0]
    assert found == pytest.approx(classifier.predict(scene.picture)[208], abs=1e-4)
