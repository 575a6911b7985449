"""lime.py and inDeCeptionV3.py as users type them."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from huggin.common.errors import UserError
from huggin.lime.pictures.reading import Picture, read_picture
from huggin.lime.pictures.scene import make_scene
from huggin.lime.results import name_of
from lime import read_arguments
from tests.conftest import command
from tests.lime.conftest import SHAPES, STEPS

FIGURES = [
    "lime.png",
    "numbered_segments.png",
    "only_segments.png",
    "prob_topclassification.png",
    "segment_coeffs.png",
    "top_segments.png",
]
DATA = Path(os.environ.get("HUGGIN_TEST_DATA", ""))
REAL = pytest.mark.skipif(
    "HUGGIN_TEST_DATA" not in os.environ, reason="HUGGIN_TEST_DATA names no folder of real data"
)
LABELS = DATA / "imagenet_labels.txt"
MODEL = ("--model", DATA / "mobilenet_v2_imagenet.keras", "--labels", LABELS)


DEMO = ("lime.py", "--demo", "--samples", "200", "--json", "numbers.json", "--stability", "2")
DEMO += ("--faithfulness", "--verbose")


@pytest.fixture(scope="session")
def demo(made_once):
    """What `lime.py --demo` does in an empty folder: the folder, what it printed, the numbers."""

    def make(folder):
        (folder / "here").mkdir()
        done = command(*DEMO, cwd=folder / "here")
        assert (done.returncode, done.stderr) == (0, "")
        (folder / "printed").write_text(done.stdout)

    folder = made_once("demo ö", make)
    numbers = json.loads((folder / "here" / "numbers.json").read_text())[0]
    return folder / "here", (folder / "printed").read_text(), numbers


@pytest.mark.slow
def test_the_demo_finds_the_triangle(demo, shapes):
    _, _, found = demo
    scene = make_scene(Picture("a", read_picture(f"{SHAPES}.png")), shapes, "slic", 36, "grey")
    assert (found["target"], found["class"]) == ("triangle", 2)
    red_or_green = scene.picture[..., :2].max(axis=2)
    blue = (scene.picture[..., 2] > 0.8) & (red_or_green < 0.4)  # the triangle's pixels
    assert blue.sum() > 150
    first = scene.segments == found["top_segments"][0]
    assert (first & blue).sum() > 0.9 * blue.sum()
    assert (first & blue).sum() > 0.8 * first.sum()


@pytest.mark.slow
def test_the_four_steps_are_told_in_their_order(demo):
    _, printed, _ = demo
    assert [line for line in printed.splitlines() if line.startswith("Step")] == STEPS
    assert "masks: (200, 3" in printed


@pytest.mark.slow
def test_the_figures_are_there_and_legible_in_size(demo):
    folder, _, _ = demo
    made = folder / "explanations" / "shapes"
    assert {path.name for path in made.glob("*.png")} == {*FIGURES, "faithfulness.png"}
    for path in made.glob("*.png"):
        with Image.open(path) as image:
            assert min(image.size) > 400
            assert np.asarray(image).std() > 10


@pytest.mark.slow
def test_the_json_has_every_number(demo):
    _, _, found = demo
    masks = np.array([[int(bit) for bit in row] for row in found["masks"]])
    assert masks.shape == (200, len(found["segments"]))
    assert len(found["predictions"]) == found["samples"] == 200
    local = found["intercept"] + sum(row["coefficient"] for row in found["segments"])
    assert local == pytest.approx(found["local_prediction"])
    assert found["predictions"][0] == found["model_prediction"]
    assert sorted(row["rank"] for row in found["segments"]) == list(range(1, masks.shape[1] + 1))
    assert sum(row["area"] for row in found["segments"]) == pytest.approx(1)
    assert 0 < found["held_out_r2"] < found["r2"] < 1
    assert 0 <= found["stability"]["jaccard"] <= 1
    areas = {name: curve["insertion_auc"] for name, curve in found["faithfulness"].items()}
    assert areas["LIME"] > areas["random"]


@pytest.mark.slow
def test_the_database_has_a_row_and_its_segments(demo):
    folder, _, found = demo
    with closing(sqlite3.connect(folder / "stack_trace.db")) as connection:
        query = "SELECT id, picture, target, samples, held_out_r2 FROM explanations"
        rows = connection.execute(query).fetchall()
        query = "SELECT explanation_id, segment, coefficient, rank FROM segments"
        segments = connection.execute(query).fetchall()
    assert rows == [(1, "shapes.png", "triangle", 200, found["held_out_r2"])]
    expected = [(1, row["segment"], row["coefficient"], row["rank"]) for row in found["segments"]]
    assert segments == expected


@pytest.mark.slow
def test_the_same_command_gives_the_same_numbers(demo, tmp_path):
    folder, _, found = demo
    copy = shutil.copytree(folder, tmp_path / "copy")
    for out in (tmp_path, copy):  # anew, and from the file of predictions
        done = command(*DEMO, "--db", tmp_path / "a.db", cwd=out)
        assert done.returncode == 0, done.stderr
        assert json.loads((out / "numbers.json").read_text()) == [found]


@pytest.mark.slow
def test_several_classes_from_the_same_predictions_until_stable(tmp_path):
    more = "--target logit --sampler binomial --samples 100 --max-samples 120 --until-stable"
    more += " --json numbers.json --out here --classes triangle"
    done = command("lime.py", "--demo", *more.split(), "triangle - square", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    one, contrast = json.loads((tmp_path / "numbers.json").read_text())
    assert [one["target"], contrast["target"]] == ["triangle", "triangle - square"]
    assert one["masks"] == contrast["masks"]
    assert one["predictions"] != contrast["predictions"]
    assert ("stable after 100 masks" in done.stdout) == (one["samples"] == 100)
    assert ("NOT STABLE after 120 masks" in done.stdout) == (one["samples"] == 120)
    for folder in ("2-triangle", "2-1-triangle-square"):
        assert sorted(path.name for path in (tmp_path / "here" / folder).iterdir()) == FIGURES


@pytest.mark.slow
def test_figures_of_an_earlier_explanation_go_and_what_is_not_ours_stays(tmp_path):
    out = tmp_path / "here"
    for folder in ("7-mine", "2-triangle"):
        (out / folder).mkdir(parents=True)
    for path in (out / "7-mine" / "lime.png", out / "2-triangle" / "notes.txt"):
        path.write_text("mine")
    words = ("lime.py", "--demo", "--samples", "70", "--out", out)
    done = command(*words, "--classes", "2", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = {path.parent.name for path in out.glob("*/segment_coeffs.png")}
    assert made == {"2-triangle", "1-square"}
    (out / "1-square" / "only_segments.png").unlink()  # an older version did not draw it
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["2-triangle", "7-mine"]
    for path in (out / "7-mine" / "lime.png", out / "2-triangle" / "notes.txt"):
        assert path.read_text() == "mine"
    assert sorted(path.name for path in (out / "2-triangle").iterdir()) == ["notes.txt"]
    assert sorted(path.name for path in out.glob("*.png")) == FIGURES


@pytest.mark.slow
def test_hiding_the_triangle_leaves_nothing(tmp_path):
    words = ("inDeCeptionV3.py", "--demo", "--samples", "200")
    done = command(*words, "--rounds", "3", "--json", "a.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    before, after = done.stdout.split("Round 1: ")[1].split("Round 2")[0].split("  after ")
    assert "before  0.98" in before and "triangle (class 2)" in before
    assert "nothing (class 4)" in after
    assert "the answer is nothing now; it was number 5 before" in after
    assert "the answer stays the same: nothing" in done.stdout.split("Round 2: ")[1]
    first, second = json.loads((tmp_path / "a.json").read_text())
    assert (first["target"], second["target"]) == ("triangle", "nothing")
    out = tmp_path / "explanations" / "shapes"
    assert sorted(path.name for path in out.iterdir()) == ["round-1", "round-2", "rounds.png"]
    done = command(*words, "--db", "b.db", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (out / "round-2").iterdir()] == ["predictions.npz"]
    assert len(list((out / "round-1").glob("*.png"))) == len(FIGURES)
    with closing(sqlite3.connect(tmp_path / "stack_trace.db")) as connection:
        targets = connection.execute("SELECT target FROM explanations").fetchall()
    assert targets == [("triangle",), ("nothing",)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--samples 0", "argument --samples: 0: must be 1 or more"),
        ("--samples 5", "--samples 5: too few for"),
        ("--seed -1", "argument --seed: -1: must be 0 or more"),
        ("--classes raven", "--classes raven: no class of that name"),
        ("nowhere.png", "nowhere.png: no such file"),
        ("--json /proc/none/a.json", "/proc/none"),
        ("--model nowhere.keras", "--model nowhere.keras: no such file"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing(words, message, tmp_path):
    demo = () if "--model" in words else ("--demo",)
    done = command("lime.py", *words.split(), *demo, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"lime.py: error: {message}")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--stability 1", "--stability: 1: must be 2 or more"),
        ("--sampler leave-one-out --until-stable", "its masks are deterministic"),
        ("--top 0", "--top: 0: must be 1 or more"),
        ("--top many", "--top: many: must be 1 or more"),
        ("--seed 4294967296", "give a number from 0 to 4294967295"),
        ("--demo --labels a.txt", "--demo: has a classifier of its own"),
        ("--sampler leave-one-out --samples 9", "leave out --samples"),
        ("--max-samples 9 --samples 10", "fewer than the masks to begin with"),
        ("--fill pink", "invalid choice: 'pink'"),
    ],
)
def test_options_that_make_no_sense_are_refused(words, message, monkeypatch):
    monkeypatch.setattr("sys.argv", ["lime.py", *words.split()])
    with pytest.raises(UserError, match=message):
        read_arguments(None)


@pytest.mark.parametrize(
    ("image", "name", "folder"),
    [
        ("a/b c.png", "b c.png", "b c"),
        ("q?uery=1.png", "q?uery=1.png", "q?uery=1"),
        ("https://host/k%C3%B6ln.png?size=3&token=SECRET#x", "köln.png", "köln"),
        ("http://host/..", "picture", "picture"),
        ("http://127.0.0.1:80/", "picture", "picture"),
        ("bad\udcff\x1b.png", "bad\ufffd\ufffd.png", "bad\ufffd\ufffd"),
    ],
)
def test_a_pictures_name(image, name, folder, monkeypatch):
    monkeypatch.setattr("sys.argv", ["lime.py", image])
    assert name_of(image) == name
    assert read_arguments(None).out == Path("explanations") / folder


def test_without_a_picture_it_is_the_cat_of_scikit_image(monkeypatch):
    monkeypatch.setattr("sys.argv", ["lime.py"])
    args = read_arguments(None)
    assert Path(args.picture).is_file()
    assert args.out == Path("explanations/chelsea")


@pytest.mark.slow
def test_weights_that_cannot_be_downloaded_name_the_ways_out(monkeypatch, tmp_path):
    import keras

    def offline(*_args, **_options):
        raise Exception("URL fetch failure on https://storage.googleapis.com: None -- unreachable")

    offline.__module__ = keras.applications.InceptionV3.__module__
    monkeypatch.setattr(keras.applications, "InceptionV3", offline)
    done = command("lime.py", f"{SHAPES}.png", cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "InceptionV3: cannot download its weights (URL fetch failure" in line
    for way in ("--weights", "--model FILE.keras", "--demo"):
        assert way in line


@REAL
@pytest.mark.slow
def test_the_dog_is_found(tmp_path):
    more = ["--pixels", "signed", "--json", "a.json", "--samples", "1000"]
    done = command("lime.py", DATA / "cat-and-dog.jpg", *MODEL, *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [found] = json.loads((tmp_path / "a.json").read_text())
    assert (found["class"], found["target"]) == (208, "Labrador retriever")
    assert len(found["segments"]) == 14
    assert found["model_prediction"] == pytest.approx(0.597, abs=0.005)
    assert set(found["top_segments"][:3]) == {1, 4, 5}  # ear, forehead and muzzle of the dog
    assert set(found["top_segments"]) <= {1, 4, 5, 6, 12}  # the dog


@REAL
@pytest.mark.slow
def test_inception_of_random_weights_at_299(tmp_path):
    more = ["--weights", "random", "--samples", "129", "--json", "a.json"]
    done = command("lime.py", DATA / "cat-and-dog.jpg", *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [found] = json.loads((tmp_path / "a.json").read_text())
    assert len(found["segments"]) == 26  # with the nearest pixels; 28 with smooth ones
    assert "resized to 299 x 299" in done.stdout
