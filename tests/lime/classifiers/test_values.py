"""A model that returns a value, not a class: its value is explained, in its own unit."""

import json

import numpy as np
import pytest
from PIL import Image

from huggin.common.errors import UserError
from huggin.lime.classifiers.keras_models import Unclear
from huggin.lime.classifiers.keras_quietly import keras
from tests.conftest import command
from tests.lime.conftest import loaded, saved

pytestmark = pytest.mark.slow

LAYERS = keras.layers
OPTIONS = ("--segmenter", "grid", "--segments", "4", "--fill", "black", "--json", "a.json")


def regressor(outputs: int = 1, activation: str | None = None):
    """The mean of the red pixels of a picture in [0, 1], times 40, 80 and so on, and 10 more."""
    inputs = keras.Input((16, 16, 3))
    means = LAYERS.GlobalAveragePooling2D()(LAYERS.Rescaling(1 / 255)(inputs))
    dense = LAYERS.Dense(outputs, activation=activation)
    model = keras.Model(inputs, dense(means))
    weights = np.zeros((3, outputs), np.float32)
    weights[0] = 40 * np.arange(1, outputs + 1)
    dense.set_weights([weights, np.full(outputs, 10, np.float32)])
    return model


@pytest.fixture
def picture(tmp_path):
    """A folder with a picture whose left half is redder."""
    colours = np.zeros((16, 16, 3), np.uint8)
    colours[:, :8, 0] = 200
    colours[:, 8:, 0] = 100
    Image.fromarray(colours).save(tmp_path / "a.png")
    return tmp_path


def test_a_linear_output_is_explained_in_its_own_unit(picture):
    saved(regressor(), picture)
    done = command("lime.py", "a.png", "--model", "model.keras", *OPTIONS, cwd=picture)
    assert done.returncode == 0, done.stderr
    assert "ending: value, as its one output is linear" in done.stdout
    value = 10 + 40 * 150 / 255
    assert f"the output: value {value:.4g} in the full picture" in done.stdout
    for word in ("class 1", "probability", "first answer", "nothing to explain"):
        assert word not in done.stdout
    [found] = json.loads((picture / "a.json").read_text())
    assert (found["scale"], found["target"]) == ("value", "the output")
    effects = [segment["coefficient"] for segment in found["segments"]]
    expected = [10 * 200 / 255, 10 * 100 / 255] * 2
    assert effects == pytest.approx(expected, abs=1e-3)


def test_a_value_has_no_logit_and_no_rounds(picture):
    saved(regressor(), picture)
    words = ("a.png", "--model", "model.keras", *OPTIONS)
    done = command("lime.py", *words, "--target", "logit", cwd=picture)
    assert (done.returncode, "--score logit: model.keras returns values" in done.stderr) == (2, 1)
    done = command("inDeCeptionV3.py", *words, cwd=picture)
    assert (done.returncode, "returns values, so there is no answer" in done.stderr) == (2, True)


def test_a_value_that_only_rounds_is_nothing_to_explain(picture):
    model = regressor()
    dense = model.layers[-1]
    weights, offset = dense.get_weights()
    dense.set_weights([weights * 1e-6, offset])
    saved(model, picture)
    done = command("lime.py", "a.png", "--model", "model.keras", *OPTIONS, cwd=picture)
    assert "the output: nothing to explain, its value is 10" in done.stdout


def test_several_linear_outputs_are_asked_about(picture):
    path = saved(regressor(3), picture)
    with pytest.raises(Unclear, match="logits of classes, or values.*choose ending: logits, value"):
        loaded(path)
    assert loaded(path, ending="value").names == ("output 0", "output 1", "output 2")
    words = ("a.png", "--model", "model.keras", "--ending", "value", *OPTIONS)
    done = command("lime.py", *words, cwd=picture)
    assert (done.returncode, "say which of them is explained" in done.stderr) == (2, True)
    done = command("lime.py", *words, "--classes", "output 1", cwd=picture)
    assert f"output 1: value {10 + 80 * 150 / 255:.4g} in the full" in done.stdout


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_file_that_does_not_say_it_is_asked_about(outputs, tmp_path):
    regressor(outputs).export(tmp_path / "saved", verbose=False)
    with pytest.raises(Unclear, match="logits of classes or values of a regression"):
        loaded(str(tmp_path / "saved"), pixels="byte")
    found = loaded(str(tmp_path / "saved"), pixels="byte", ending="value")
    assert found.predict(np.ones((16, 16, 3), np.float32))[0] == pytest.approx(50)


def test_a_value_of_nan_is_refused(tmp_path):
    model = regressor()
    weights, offset = model.layers[-1].get_weights()
    model.layers[-1].set_weights([weights * np.nan, offset])
    with pytest.raises(UserError, match="predicts NaN or infinity"):
        loaded(saved(model, tmp_path)).predict(np.ones((16, 16, 3), np.float32))
