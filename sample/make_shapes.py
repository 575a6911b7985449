"""Draw shapes and train a small classifier on them; write shapes.keras, shapes.txt, shapes.png.

    python sample/make_shapes.py

The classifier sees a circle, a square, a triangle, a cross or nothing on a patterned ground. In
shapes.png the shape is a triangle, and `TRIANGLE` says where, so one can tell whether an
explanation finds it.
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent
NAMES = ("circle", "square", "triangle", "cross", "nothing")
SIZE = 96  # pixels a side
PICTURES = 10_000
EPOCHS = 8
TRIANGLE = (56, 30, 15)  # column and row of its middle, and its radius, in shapes.png


def outline(
    name: str, column: float, row: float, radius: float, turn: float
) -> list[tuple[float, float]]:
    """The corners of a shape, turned by `turn` radians."""
    if name == "cross":
        arms = [(1, 0.3), (0.3, 0.3), (0.3, 1), (-0.3, 1), (-0.3, 0.3), (-1, 0.3)]
        corners = arms + [(-x, -y) for x, y in arms]
    else:
        count = {"circle": 40, "square": 4, "triangle": 3}[name]
        angles = 2 * np.pi * np.arange(count) / count
        corners = list(zip(np.cos(angles), np.sin(angles)))
    cosine = np.cos(turn)
    sine = np.sin(turn)
    return [
        (column + radius * (x * cosine - y * sine), row + radius * (x * sine + y * cosine))
        for x, y in corners
    ]


def ground(rng: np.random.Generator) -> Image.Image:
    """A pattern of soft spots in two colours."""
    coarse = rng.integers(90, 166, (8, 8, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def draw(name: str, place: tuple[float, float, float], rng: np.random.Generator) -> np.ndarray:
    """A picture (SIZE, SIZE, 3) uint8 of a shape at (column, row, radius), in a random colour."""
    picture = ground(rng)
    colour = tuple(int(value) for value in rng.choice([0, 255], 3) * 0.8 + rng.integers(0, 50, 3))
    if name != "nothing":
        ImageDraw.Draw(picture).polygon(
            outline(name, *place, turn=rng.uniform(0, 2 * np.pi)), fill=colour
        )
    noisy = np.asarray(picture, float) + rng.normal(0, 6, (SIZE, SIZE, 1))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def hide_squares(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture with grey squares on it, so that the classifier learns from hidden parts, too."""
    hidden = picture.copy()
    for _ in range(rng.integers(0, 9)):
        row, column = rng.integers(0, SIZE - 16, 2)
        hidden[row : row + 16, column : column + 16] = 127
    return hidden


def examples(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (PICTURES, SIZE, SIZE, 3) uint8 and classes (PICTURES,)."""
    classes = rng.integers(0, len(NAMES), PICTURES)
    places = np.column_stack(
        [rng.uniform(18, SIZE - 18, (PICTURES, 2)), rng.uniform(11, 18, PICTURES)]
    )
    pictures = [
        hide_squares(draw(NAMES[one], tuple(place), rng), rng)
        for one, place in zip(classes, places)
    ]
    return np.stack(pictures), classes


def main() -> None:
    """Write the picture, the labels and the trained classifier."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    Image.fromarray(draw("triangle", TRIANGLE, rng)).save(HERE / "shapes.png")
    (HERE / "shapes.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    pictures, classes = examples(rng)
    network = keras.Sequential([keras.Input((SIZE, SIZE, 3), name="picture")])  # takes -1 to 1
    for filters in (12, 24, 32, 48):
        network.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        network.add(layers.BatchNormalization())
        network.add(layers.Activation("relu"))
        network.add(layers.MaxPooling2D())
    network.add(layers.GlobalMaxPooling2D())
    network.add(layers.Dense(len(NAMES), activation="softmax"))
    rate = keras.optimizers.schedules.CosineDecay(3e-3, decay_steps=EPOCHS * PICTURES // 64)
    network.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    signed = pictures / np.float32(127.5) - 1
    network.fit(signed, classes, batch_size=64, epochs=EPOCHS, validation_split=0.1, verbose=2)
    clean = keras.models.clone_model(network)
    clean.set_weights(network.get_weights())  # without the optimizer's state
    clean.save(HERE / "shapes.keras")


if __name__ == "__main__":
    main()
