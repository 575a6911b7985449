"""Ten forms of small image classifiers with known answers, built by Keras 3 or by Keras 2.

    python bench/rivals/model_forms.py FOLDER  # writes them as Keras 2 does; needs tf_keras

Each model takes the mean of every channel, after its own preprocessing, and multiplies the means by
`WEIGHTS`. So its answer to any picture can be computed without it.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 12  # height and width of the inputs, in pixels
WEIGHTS = np.array([[1, -1, 0.5], [2, 0, -1], [-3, 1, 0.5]], np.float32)  # (channels, classes)
GREY = np.array([0.299, 0.587, 0.114])  # the shares of red, green and blue
CAFFE = np.array([103.939, 116.779, 123.68])  # means of blue, green and red

Logits = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Form:
    """How a classifier is built, and what it answers."""

    build: Callable[[Any], Any]  # keras -> model
    logits: Logits  # mean red, green and blue of a picture in [0, 1] -> logits
    ending: str = "softmax"  # what makes probabilities of the logits
    said: dict[str, str] = field(default_factory=dict)  # what its user says, if asked


def network(keras: Any, prepare: Any, side: int | None = SIDE, channels: int = 3) -> Any:
    """Input and logits: the means of the prepared pixels, times WEIGHTS."""
    inputs = keras.Input((side, side, channels))
    means = keras.layers.GlobalAveragePooling2D()(prepare(inputs))
    return inputs, dense(keras, means, WEIGHTS[:channels])


def dense(keras: Any, means: Any, weights: np.ndarray) -> Any:
    """The means times the weights, in the model's graph."""
    layer = keras.layers.Dense(weights.shape[1], use_bias=False)
    outputs = layer(means)
    layer.set_weights([weights])
    return outputs


def ended(keras: Any, activation: str, prepare: Any, **shape: Any) -> Any:
    """A model that ends with an activation."""
    inputs, logits = network(keras, prepare, **shape)
    return keras.Model(inputs, keras.layers.Activation(activation)(logits))


def unit(keras: Any) -> Any:
    """The layer that turns bytes into values from 0 to 1."""
    return keras.layers.Rescaling(1 / 255)


def one_sigmoid(keras: Any) -> Any:
    """A model whose only output is the probability of the second of two classes."""
    inputs = keras.Input((SIDE, SIDE, 3))
    means = keras.layers.GlobalAveragePooling2D()(unit(keras)(inputs))
    logit = dense(keras, means, WEIGHTS[:, :1])
    return keras.Model(inputs, keras.layers.Activation("sigmoid")(logit))


def two_outputs(keras: Any) -> Any:
    """A model whose second output is something else."""
    inputs, logits = network(keras, unit(keras))
    answer = keras.layers.Softmax(name="answer")(logits)
    return keras.Model(inputs, [answer, keras.layers.Activation("tanh", name="other")(logits)])


def with_lambda(keras: Any) -> Any:
    """A model with Python code inside."""
    return ended(keras, "softmax", keras.layers.Lambda(lambda values: values / 255))


def caffe(colours: np.ndarray) -> np.ndarray:
    """Means in [0, 1] -> what VGG16's preprocess_input makes of them."""
    return colours[::-1] * 255 - CAFFE


PIXELS = {"pixels": "byte"}
FORMS = {
    "softmax, pixels rescaled inside": Form(
        lambda keras: ended(keras, "softmax", unit(keras)),
        lambda means: means @ WEIGHTS,
        said=PIXELS,
    ),
    "logits": Form(
        lambda keras: keras.Model(*network(keras, unit(keras))),
        lambda means: means @ WEIGHTS,
        said=PIXELS | {"ending": "logits"},
    ),
    "sigmoids of several classes": Form(
        lambda keras: ended(keras, "sigmoid", unit(keras)),
        lambda means: means @ WEIGHTS,
        "sigmoid",
        PIXELS | {"ending": "sigmoid"},
    ),
    "one sigmoid (two classes)": Form(
        one_sigmoid,
        lambda means: means @ WEIGHTS[:, :1],
        "one sigmoid",
        PIXELS | {"ending": "sigmoid"},
    ),
    "one channel (grey)": Form(
        lambda keras: ended(keras, "softmax", unit(keras), channels=1),
        lambda means: means @ GREY * WEIGHTS[0],
        said=PIXELS,
    ),
    "any size, (None, None, None, 3)": Form(
        lambda keras: ended(keras, "softmax", unit(keras), side=None),
        lambda means: means @ WEIGHTS,
        said=PIXELS,
    ),
    "two outputs": Form(
        two_outputs, lambda means: means @ WEIGHTS, said=PIXELS | {"output": "answer"}
    ),
    "preprocessing in arithmetic": Form(
        lambda keras: ended(keras, "softmax", lambda inputs: inputs / 127.5 - 1),
        lambda means: (2 * means - 1) @ WEIGHTS,
        said=PIXELS,
    ),
    "preprocessing outside (VGG16's)": Form(
        lambda keras: ended(keras, "softmax", keras.layers.AveragePooling2D(2)),
        lambda means: caffe(means) @ WEIGHTS,
        said={"pixels": "caffe"},
    ),
    "a Lambda layer": Form(with_lambda, lambda means: means @ WEIGHTS, said=PIXELS),
}


def probabilities(form: Form, picture: np.ndarray) -> np.ndarray:
    """The right answer to a picture (height, width, 3) in [0, 1]: (classes,)."""
    logits = form.logits(picture.reshape(-1, 3).mean(axis=0))
    if form.ending == "softmax":
        powers = np.exp(logits - logits.max())
        return powers / powers.sum()
    each = 1 / (1 + np.exp(-logits))
    return each if form.ending == "sigmoid" else np.array([1 - each[0], each[0]])


def main() -> None:
    """Write the models of all forms into a folder, by Keras 2."""
    import tf_keras

    for number, form in enumerate(FORMS.values()):
        form.build(tf_keras).save(Path(sys.argv[1]) / f"{number}.h5")


if __name__ == "__main__":
    main()
