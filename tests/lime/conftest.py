"""Fixtures that LIME's tests share: the classifier and the picture of --demo, loaded once."""

import pytest

from huggin.lime.classifier import Classifier
from huggin.lime.keras_models import load_classifier
from huggin.lime.pictures import read_picture
from huggin.lime.scene import Scene, make_scene
from tests.conftest import ROOT

SHAPES = ROOT / "sample" / "shapes"


@pytest.fixture(scope="session")
def shapes() -> Classifier:
    """The classifier of --demo."""
    return load_classifier(f"{SHAPES}.keras", labels=SHAPES.with_suffix(".txt"))


@pytest.fixture(scope="session")
def scene(shapes: Classifier) -> Scene:
    """The picture of --demo, in 6 x 6 cells."""
    return make_scene("shapes.png", shapes, read_picture(f"{SHAPES}.png"), "grid", 36, "grey")
