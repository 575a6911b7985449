"""Which pixels a model takes is read from its own first operations, or asked for."""

import numpy as np
import pytest

from huggin.lime.choices import PIXELS
from huggin.lime.classifiers.keras_models import Unclear
from huggin.lime.classifiers.keras_quietly import keras
from huggin.lime.classifiers.pixels import (
    CAFFE_MEAN,
    CONVERT,
    MEANING,
    TORCH_MEAN,
    TORCH_STD,
    guess_pixels,
)
from tests.lime.conftest import loaded, saved

pytestmark = pytest.mark.slow

GREY = np.full((8, 8, 3), 0.25, np.float32)
SIZE = (8, 8, 3)
LAYERS = keras.layers


def caffe_inside(inputs):
    return keras.applications.resnet50.preprocess_input(inputs)


OPENINGS = {  # first operations, and the pixels that they take
    "signed by arithmetic": (keras.applications.mobilenet_v2.preprocess_input, "byte"),
    "divided": (lambda inputs: inputs / 255.0, "byte"),
    "caffe inside": (caffe_inside, "byte"),
    "torch inside": (keras.applications.densenet.preprocess_input, "byte"),
    "rescaled": (LAYERS.Rescaling(1 / 255), "byte"),
    "rescaled to signed": (LAYERS.Rescaling(1 / 127.5, offset=-1), "byte"),
    "unit to signed": (LAYERS.Rescaling(2, offset=-1), "unit"),
    "unit to bytes": (lambda inputs: inputs * 255.0, "unit"),
    "signed to unit": (LAYERS.Rescaling(0.5, offset=0.5), "signed"),
    "signed to bytes": (lambda inputs: (inputs + 1) * 127.5, "signed"),
    "a data set's mean in 0 to 1": (
        LAYERS.Normalization(mean=[0.48, 0.44, 0.40], variance=[0.07, 0.07, 0.08]),
        "unit",
    ),
    "a data set's mean in bytes": (
        LAYERS.Normalization(mean=[118, 112, 104], variance=[4900, 4800, 5100]),
        "byte",
    ),
    "augmented and resized": (
        keras.Sequential(
            [LAYERS.RandomFlip(), LAYERS.RandomRotation(0.1), LAYERS.Resizing(6, 6)]
            + [LAYERS.Rescaling(1 / 255)]
        ),
        "byte",
    ),
}


def planted(opening, nested: bool = False):
    """A model that answers softmax([0, 3 * m]), m the mean of what comes out of its opening."""
    inputs = keras.Input(SIZE)
    features = opening(inputs)
    inner = keras.Input(features.shape[1:])
    mean = LAYERS.GlobalAveragePooling2D()(inner)
    dense = LAYERS.Dense(2, activation="softmax")
    head = keras.Model(inner, dense(mean))
    dense.set_weights([np.array([[0, 1.5], [0, 1], [0, 0.5]], np.float32), np.zeros(2, np.float32)])
    outputs = head(features) if nested else dense(LAYERS.GlobalAveragePooling2D()(features))
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", OPENINGS)
def test_pixels_are_read_from_the_first_operations(name, nested, tmp_path):
    opening, pixels = OPENINGS[name]
    model = planted(opening, nested)
    classifier = loaded(saved(model, tmp_path))
    assert np.allclose(classifier.pixels(GREY), CONVERT[pixels](GREY), atol=1e-5)
    expected = np.asarray(model(CONVERT[pixels](GREY)[None]))[0]
    assert np.allclose(classifier.predict(GREY), expected, atol=1e-6)
    assert f"pixels: {MEANING[pixels]}, read from its first operations" in classifier.facts[0]


def behind_a_convolution(inputs):
    return LAYERS.Rescaling(1 / 255)(LAYERS.Conv2D(3, 1)(inputs))


@pytest.mark.parametrize(
    "opening",
    [
        lambda inputs: inputs,
        behind_a_convolution,
        LAYERS.Normalization(mean=[0.1307] * 3, variance=[0.3081**2] * 3),  # 0 to 1, or -1 to 1?
        lambda inputs: keras.ops.sqrt(inputs) / 255.0,
        lambda inputs: keras.ops.maximum(inputs, inputs / 255.0),
    ],
)
def test_pixels_that_the_model_does_not_say_are_asked_for(opening, tmp_path):
    path = saved(planted(opening), tmp_path)
    with pytest.raises(Unclear, match="do not say which pixels it takes") as caught:
        loaded(path)
    assert caught.value.name == "pixels"
    assert tuple(caught.value.values) == PIXELS


def test_the_question_shows_what_each_kind_would_answer(tmp_path):
    from huggin.lime.classifiers.keras_models import load_classifier

    path = saved(planted(lambda inputs: inputs), tmp_path)
    with pytest.raises(Unclear) as caught:
        load_classifier(path, picture=np.full((30, 30, 3), 0.25, np.float32))
    # Three times the mean: -1.5 if signed, 0.75 for 0 to 1
    assert "signed: class 0 0.818" in str(caught.value)
    assert "unit: class 1 0.679" in str(caught.value)
    assert "byte: class 1 1.000 (entropy 0.0 of 1.0 bits)" in str(caught.value)


@pytest.mark.parametrize("pixels", ["caffe", "torch"])
def test_preprocessing_outside_of_the_model_can_be_said(pixels, tmp_path):
    module = {"caffe": "vgg16", "torch": "densenet"}[pixels]
    picture = np.random.default_rng(0).random(SIZE, np.float32)
    outside = getattr(keras.applications, module).preprocess_input(picture * 255)
    model = planted(LAYERS.BatchNormalization())
    classifier = loaded(saved(model, tmp_path), pixels=pixels)
    expected = np.asarray(model(outside[None]))[0]
    assert np.allclose(classifier.predict(picture), expected, atol=1e-5)


def test_the_constants_are_those_of_keras():
    picture = np.random.default_rng(0).random((4, 4, 3), np.float32)
    for name, module in {"caffe": "vgg16", "torch": "densenet", "signed": "mobilenet_v2"}.items():
        theirs = getattr(keras.applications, module).preprocess_input(picture * 255)
        assert np.allclose(CONVERT[name](picture), theirs, atol=1e-4)


@pytest.mark.parametrize(
    ("gain", "offset", "pixels"),
    [
        (1 / 255, 0, "byte"),
        (1 / 256, 0, "byte"),
        (1, -127.5, "byte"),
        (1, -CAFFE_MEAN[::-1], "byte"),
        (1 / TORCH_STD, -TORCH_MEAN / TORCH_STD, "unit"),
        (1 / TORCH_STD / 255, -TORCH_MEAN / TORCH_STD, "byte"),
        (-1, 1, "unit"),  # inverted
        (1, 0, None),
        (0, 0.5, None),  # it does not see the picture
        (1e6, 0, None),
    ],
)
def test_guesses_from_a_line(gain, offset, pixels):
    gains, offsets = np.broadcast_arrays(np.asarray(gain, float), np.asarray(offset, float))
    assert guess_pixels(np.atleast_1d(gains), np.atleast_1d(offsets)) == pixels
