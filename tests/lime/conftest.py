"""Fixtures that LIME's tests share: the classifier and the picture of --demo, loaded once."""

from pathlib import Path
from typing import Any

import pytest

from huggin.lime.classifiers.classifier import Classifier
from huggin.lime.pictures.reading import Picture, read_picture
from huggin.lime.pictures.scene import Scene, make_scene
from tests.conftest import ROOT

SHAPES = ROOT / "sample" / "shapes"
STEPS = [  # as they are told
    "Step 1/4: random perturbations",
    "Step 2/4: predictions",
    "Step 3/4: distance weights",
    "Step 4/4: linear regression coefficients",
]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even read the files that load TensorFlow, which takes seconds, without slow tests."""
    quick = config.option.markexpr == "not slow"
    of_keras = collection_path.parent.name == "classifiers"
    left_out = quick and of_keras and collection_path.name != "test_labels.py"
    return left_out or None


def saved(model: Any, folder: Path, name: str = "model.keras") -> str:
    """The path of a model that Keras has saved."""
    model.save(folder / name)
    return str(folder / name)


def loaded(path: str, **said: Any) -> Any:
    """The classifier of a file, with what the user says about it."""
    from huggin.lime.classifiers.keras_models import load_classifier

    return load_classifier(path, **said)


@pytest.fixture(scope="session")
def shapes() -> Classifier:
    """The classifier of --demo."""
    return loaded(f"{SHAPES}.keras", labels=SHAPES.with_suffix(".txt"), pixels="signed")


@pytest.fixture(scope="session")
def scene(shapes: Classifier) -> Scene:
    """The picture of --demo, in 6 x 6 cells."""
    return make_scene(
        Picture("shapes.png", read_picture(f"{SHAPES}.png")), shapes, "grid", 36, "grey"
    )
