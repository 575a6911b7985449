"""Whether outputs are probabilities is read from the last activation and checked by answers."""

import numpy as np
import pytest

from huggin.common.errors import UserError
from huggin.lime.classifiers.keras_models import Unclear
from huggin.lime.classifiers.keras_quietly import keras
from huggin.lime.pictures.reading import Picture
from huggin.lime.pictures.scene import make_scene
from huggin.lime.predictor import Predictor, Target
from tests.lime.conftest import loaded, saved

pytestmark = pytest.mark.slow

LAYERS = keras.layers
SIZE = (8, 8, 3)
RAMP = np.linspace(0, 1, 192, dtype=np.float32).reshape(SIZE)


def model_with(ending, classes: int = 3, gain: float = 1.0):
    """Rescaled pixels, their mean, `classes` multiples of it, and what `ending` makes of them."""
    inputs = keras.Input(SIZE)
    mean = LAYERS.GlobalAveragePooling2D()(LAYERS.Rescaling(1 / 255)(inputs))
    dense = LAYERS.Dense(classes)
    outputs = ending(dense(mean))
    weights = gain * np.tile(np.arange(1, classes + 1, dtype=np.float32) / 10, (3, 1))
    dense.set_weights([weights, np.zeros(classes, np.float32)])
    return keras.Model(inputs, outputs)


def softmax(values):
    powers = np.exp(values - values.max())
    return powers / powers.sum()


def logits_of(model, picture=RAMP):
    """What the dense layer gives for a picture."""
    dense = next(layer for layer in model.layers if type(layer).__name__ == "Dense")
    return picture.reshape(-1, 3).mean(axis=0) @ dense.get_weights()[0]


def test_small_logits_are_not_taken_for_probabilities(tmp_path):
    model = model_with(lambda logits: logits)
    logits = logits_of(model)
    assert logits.min() >= 0 and logits.max() <= 1  # and so for every picture
    with pytest.raises(Unclear, match="its outputs are linear"):
        loaded(saved(model, tmp_path))
    classifier = loaded(saved(model, tmp_path), ending="logits")
    assert np.allclose(classifier.predict(RAMP), softmax(logits), atol=1e-6)


@pytest.mark.parametrize(
    ("ending", "found"),
    [
        (LAYERS.Softmax(), "softmax"),
        (LAYERS.Activation("softmax"), "softmax"),
        (keras.ops.softmax, "softmax"),
        (keras.ops.sigmoid, "sigmoid"),
        (LAYERS.Dense(3, activation="sigmoid"), "sigmoid"),
        (LAYERS.Dense(3, activation="log_softmax"), "logits"),
        (keras.Sequential([LAYERS.Activation("sigmoid"), LAYERS.Dropout(0.5)]), "sigmoid"),
    ],
)
def test_the_last_activation_says_it(ending, found, tmp_path):
    classifier = loaded(saved(model_with(ending), tmp_path))
    assert classifier.ending == found
    assert f"ending: {found}, read from the model's last activation" in classifier.facts[1]


def test_an_ending_that_nothing_says_is_asked_for(tmp_path):
    path = saved(model_with(LAYERS.ReLU()), tmp_path)
    with pytest.raises(Unclear, match="probabilities, logits or values; choose ending"):
        loaded(path)
    classifier = loaded(path, ending="logits")
    assert np.allclose(
        classifier.predict(RAMP), softmax(logits_of(model_with(LAYERS.ReLU()))), atol=1e-6
    )


def test_probabilities_that_are_mixed_are_known_by_their_sum(tmp_path):
    def mixed(logits):
        return LAYERS.Average()([LAYERS.Softmax()(logits), LAYERS.Softmax()(2 * logits)])

    classifier = loaded(saved(model_with(mixed), tmp_path))
    assert classifier.ending == "softmax"
    assert "by its outputs" in classifier.facts[1]


@pytest.mark.parametrize("ending", ["softmax", "sigmoid"])
def test_answers_that_are_not_from_0_to_1_are_refused(ending, tmp_path):
    model = model_with(lambda logits: logits, gain=50)
    classifier = loaded(saved(model, tmp_path), ending=ending)
    with pytest.raises(UserError, match="its outputs are not from 0 to 1.*say its ending"):
        classifier.predict(RAMP)


def test_answers_to_masked_pictures_are_checked_too(tmp_path):
    """The full picture's outputs sum to 1 by chance, those of masked ones do not."""
    model = model_with(lambda logits: logits)
    gain = float(1 / logits_of(model).sum())
    path = saved(model_with(lambda logits: logits, gain=gain), tmp_path)
    classifier = loaded(path, ending="softmax")
    assert classifier.predict(RAMP).sum() == pytest.approx(1)
    scene = make_scene(Picture("a.png", RAMP), classifier, "grid", 4, "black")
    predictor = Predictor(scene, [Target("a", 0)], tmp_path / "predictions.npz")
    with pytest.raises(UserError, match="its outputs do not sum to 1"):
        predictor.predictions(np.zeros((1, scene.count), bool))


def test_a_model_of_one_sigmoid_has_two_classes(tmp_path):
    model = model_with(LAYERS.Activation("sigmoid"), classes=1)
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    classifier = loaded(saved(model, tmp_path), labels=tmp_path / "labels.txt")
    dog = 1 / (1 + np.exp(-logits_of(model)[0]))
    assert np.allclose(classifier.predict(RAMP), [1 - dog, dog], atol=1e-6)
    scene = make_scene(Picture("a.png", RAMP), classifier, "grid", 4, "black")
    predictor = Predictor(scene, [Target("dog", 1)], tmp_path / "predictions.npz")
    found = predictor.predictions(np.ones((1, scene.count), bool))
    assert np.allclose([found.sure, found.rest], [[[dog]], [[1 - dog]]], atol=1e-6)
    assert found.best[0] == 1


def test_a_model_of_one_logit_has_two_classes(tmp_path):
    model = model_with(lambda logits: logits, classes=1, gain=3)
    classifier = loaded(saved(model, tmp_path), ending="logits")
    second = 1 / (1 + np.exp(-logits_of(model)[0]))
    assert np.allclose(classifier.predict(RAMP), [1 - second, second], atol=1e-6)
    assert "its one output is the second of two classes" in classifier.facts[1]
