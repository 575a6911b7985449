"""Classifiers and the names of their classes: what fits is read truly, what does not is refused."""

import numpy as np
import pytest

from huggin.common.errors import UserError
from huggin.lime.classifiers.keras_models import load_classifier
from huggin.lime.classifiers.labels import class_of, labels_of_file, target_of
from huggin.lime.predictor import Target
from tests.lime.conftest import SHAPES, loaded, saved

pytestmark = pytest.mark.slow


def small(keras, inputs=1, shape=(8, 8, 3), classes=3, activation="softmax"):
    pictures = [keras.Input(shape) for _ in range(inputs)]
    features = [keras.layers.Flatten()(picture) for picture in pictures]
    joined = keras.layers.Concatenate()(features) if inputs > 1 else features[0]
    return keras.Model(
        pictures if inputs > 1 else pictures[0],
        keras.layers.Dense(classes, activation=activation)(joined),
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": 2}, r"takes \[.*\]; give a model that takes one picture"),
        ({"shape": (8, 8, 4)}, r"takes \(None, 8, 8, 4\)"),
        ({"shape": (3, 8, 8)}, r"takes \(None, 3, 8, 8\) .its channels come first"),
        ({"classes": 1}, r"has one output behind a softmax, which is always 1"),
    ],
)
def test_a_model_of_another_form_is_refused(changes, message, tmp_path):
    import keras

    with pytest.raises(UserError, match=message):
        load_classifier(saved(small(keras, **changes), tmp_path))


def test_probabilities_are_found_behind_other_layers_and_inside_of_models(tmp_path):
    import keras

    inner = small(keras)
    wrapped = [keras.Input((8, 8, 3)), inner, keras.layers.Dropout(0.5)]
    classifier = loaded(saved(keras.Sequential(wrapped), tmp_path), pixels="signed")
    picture = np.random.default_rng(0).random((8, 8, 3), np.float32)
    assert np.allclose(
        classifier.predict(picture), inner.predict(picture[None] * 2 - 1, verbose=0)[0], atol=1e-6
    )
    scaling = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255)])
    path = saved(
        keras.Sequential([keras.Input((8, 8, 3)), scaling, *small(keras).layers[1:]]), tmp_path
    )
    assert load_classifier(path).pixels(np.float32(1)) == 255


def test_half_precision(tmp_path):
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        path = saved(small(keras), tmp_path)
    finally:
        keras.config.set_dtype_policy("float32")
    classifier = loaded(path, pixels="unit")
    assert classifier.predict(np.zeros((8, 8, 3), np.float32)).dtype == np.float32
    assert classifier.ending == "softmax"


def test_a_dictionary_of_one_output_is_that_output(tmp_path):
    import keras

    picture = keras.Input((8, 8, 3))
    answer = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(picture))
    classifier = loaded(saved(keras.Model(picture, {"answer": answer}), tmp_path), pixels="unit")
    assert classifier.ending == "softmax"


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "a.keras").write_text("ravens")
    with pytest.raises(UserError, match="not a model that Keras can load"):
        load_classifier(str(tmp_path / "a.keras"))
    with pytest.raises(FileNotFoundError, match="b.keras"):
        load_classifier(str(tmp_path / "b.keras"))
    with pytest.raises(UserError, match="did you mean InceptionV3"):
        load_classifier("InceptionV4")
    with pytest.raises(UserError, match="neither a file nor in keras.applications; it has "):
        load_classifier("ravens")


def test_weights_are_refused_where_they_do_not_belong(tmp_path):
    (tmp_path / "a.h5").write_text("ravens")
    with pytest.raises(UserError, match="has its own"):
        load_classifier(f"{SHAPES}.keras", weights="random")
    for file in ("a.h5", "missing.h5"):
        with pytest.raises(UserError, match="do not fit MobileNetV2"):
            load_classifier("MobileNetV2", weights=str(tmp_path / file))


def test_pixels_of_applications_and_as_chosen(tmp_path):
    import keras

    named = load_classifier("MobileNetV2", weights="random")
    assert named.pixels(np.array([[[0, 0.5, 1]]], np.float32)).ravel().tolist() == [-1, 0, 1]
    chosen = loaded(saved(small(keras), tmp_path), pixels="unit")
    assert chosen.pixels(np.float32(1)) == 1
    assert chosen.names == ("class 0", "class 1", "class 2")


# Labels


def test_labels_of_another_number_are_refused(tmp_path):
    (tmp_path / "labels.txt").write_text("circle\nsquare\n")
    with pytest.raises(UserError, match="2 labels, the model has 5 classes"):
        labels_of_file(tmp_path / "labels.txt", 5)
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match="not text in UTF-8"):
        labels_of_file(tmp_path / "labels.txt", 1)


NAMES = ("tabby, tabby cat", "Egyptian_cat", "crane", "crane", "hot-dog")


@pytest.mark.parametrize(
    ("words", "number"), [("1", 1), ("egyptian cat", 1), ("Tabby Cat", 0), ("tabby", 0), ("3", 3)]
)
def test_a_class_by_number_or_name(words, number):
    assert class_of(words, NAMES) == number


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("crane", "several classes of that name; give 2 .crane. or 3 .crane."),
        ("egyptian cats", "no class of that name; give 1 .Egyptian_cat."),
        ("5", "no class of that name"),
        ("raven", "no class"),
    ],
)
def test_a_class_that_is_not_clear_is_refused(words, message):
    with pytest.raises(UserError, match=message):
        class_of(words, NAMES)


def test_contrasts():
    assert target_of("hot-dog", NAMES) == Target("hot-dog", 4)
    assert target_of("tabby - 1", NAMES) == Target("tabby, tabby cat - Egyptian_cat", 0, 1)
    assert target_of("a - b", ("a - b", "c")) == Target("a - b", 0)
    with pytest.raises(UserError, match="the two classes must differ"):
        target_of("1 - egyptian cat", NAMES)
