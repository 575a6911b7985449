"""The page in a real browser: it opens from the disk, plays, and says the recording's numbers."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from huggin.analysis.learning import when_learned
from huggin.analysis.nodes import snapshots
from huggin.recording.answer import read_answer, write_answer
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from tests.conftest import ROOT
from tests.pages.pages import HOSTILE, hostile_window, page_of, write_by_hand

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
try:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import expect, sync_playwright
except ImportError:
    CHROMIUM = None

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium and playwright"),
]
OLDER = ROOT / "tests" / "data" / "0.1.0" / "run"


@pytest.fixture(scope="module")
def browser():
    expect.set_options(timeout=60_000)  # milliseconds; no test depends on the machine's speed
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser):
    """A tab in which nothing may go wrong, and from which nothing may be asked."""
    problems: list[str] = []
    tab = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda asked: asked.url.startswith("file:") or problems.append(asked.url))
    yield tab
    tab.close()
    assert problems == []


@pytest.fixture(scope="module")
def page(made_once, pretrained_run):
    """The page of a run with three tracked samples, and of an older one without a lens."""
    folder = made_once("two runs", lambda folder: page_of(folder, pretrained_run, OLDER))
    return next(folder.glob("gv-graphs/*.html"))


@pytest.fixture(scope="module")
def recording(pretrained_run) -> Recording:
    return Recording(pretrained_run)


def show(tab, page, moment: str = "") -> None:
    tab.goto(f"file://{page}{moment}")
    tab.wait_for_selector(".story")


def step_of(tab) -> int:
    return int(re.match(r"Step ([\d,]+)", tab.inner_text("#now"))[1].replace(",", ""))


def drag_to(tab, place: int) -> None:
    """Move the slider as a user's hand does."""
    tab.evaluate(
        """place => {
            const slider = document.getElementById("slider");
            slider.value = place;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        place,
    )


def test_it_opens_where_the_question_was_learned(tab, page, recording):
    for sample in range(3):
        show(tab, page, f"#sample={sample}")
        learned = when_learned(recording.probes(sample), recording.tracked(sample))
        expected = [
            learned.right_since,
            learned.first_right,
            int(recording.probes(sample).step[-1]),
        ]
        assert step_of(tab) == next(step for step in expected if step is not None)
        tab.goto("about:blank")


def test_a_node_is_named_only_if_it_matters(tab, page, recording):
    window = recording.tracked(0)
    found = snapshots(recording, 0)
    shares = found.margin_shares(window.gold_start, found.rival(-1, window))[-1]
    show(tab, page)
    said = tab.inner_text(".findings")
    best = np.sort(shares)[::-1][:5]
    if shares.sum() <= 0:
        assert "where the answer starts" in said
    elif best[0] > shares.sum():
        assert f"nearly cancel. Node {shares.argmax()} alone gives" in said
    elif best[0] > 0.15 * shares.sum():
        percent = 100 * best[0] / shares.sum()
        assert f"Node {shares.argmax()} gives most to the answer: {percent:.0f} %" in said
    else:
        percent = 100 * best[best > 0].sum() / shares.sum()
        assert f"No single node matters: the first 5 give {percent:.0f} %" in said


def test_every_step_says_the_models_answer(tab, page, recording):
    show(tab, page, "#sample=1")
    probes = recording.probes(1)
    window = recording.tracked(1)
    for place, step in enumerate(probes.step):
        drag_to(tab, place)
        assert step_of(tab) == step
        first, last = int(probes.predicted_start[place]), int(probes.predicted_end[place])
        right = (first, last) == (window.gold_start, window.gold_end)
        word = "right" if right else "wrong"
        assert tab.inner_text(".chip") == word
        assert tab.get_attribute("#slider", "aria-valuetext") == f"step {step}, answers {word}"
        marked = tab.eval_on_selector_all(
            ".token.model", "nodes => nodes.map(node => Number(node.dataset.at))"
        )
        assert marked == list(range(first, last + 1))
    assert len(probes.step) > 3


def test_the_keys(tab, page, recording):
    show(tab, page)
    steps = recording.probes(0).step.tolist()
    tab.keyboard.press("Home")
    assert step_of(tab) == steps[0]
    tab.keyboard.press("ArrowRight")
    assert step_of(tab) == steps[1]
    tab.keyboard.press("Shift+ArrowRight")
    assert step_of(tab) == steps[min(11, len(steps) - 1)]
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("End")
    assert step_of(tab) == steps[-1]
    gold = recording.tracked(0).gold_start
    tab.keyboard.press(".")
    assert f"Token {gold + 1} " in tab.inner_text(".token-line")
    tab.keyboard.press("t")
    assert f"Token {gold} " in tab.inner_text(".token-line")
    tab.keyboard.press("v")
    assert "probability as end" in tab.inner_text(".token-line")
    tab.keyboard.press("?")
    assert tab.is_visible("#keys")
    tab.keyboard.press("Escape")
    assert not tab.is_visible("#keys")
    if flips := when_learned(recording.probes(0), recording.tracked(0)).flips:
        tab.keyboard.press("Home")
        tab.keyboard.press("f")
        assert step_of(tab) == flips[0]


def test_it_plays_to_the_end_and_says_so(tab, page, recording):
    show(tab, page)
    tab.keyboard.press("Home")
    tab.select_option("#speed", "40")
    told = "const play = document.getElementById('play'); play.click(); return play.innerText;"
    assert tab.evaluate(f"() => {{ {told} }}") == "Pause"
    last = recording.probes(0).step[-1]
    expect(tab.locator("#now")).to_contain_text(f"Step {last}")
    expect(tab.locator("#play")).to_have_text("Play")
    assert tab.inner_text("#live").startswith(f"Step {last}: answers ")


def test_the_address_brings_a_moment_back(tab, page, recording):
    step = int(recording.probes(2).step[2])
    show(tab, page, f"#run=0&sample=2&step={step}&token=5&view=end")
    assert step_of(tab) == step
    assert tab.input_value("#sample") == "2"
    assert "Token 5 " in tab.inner_text(".token-line")
    tab.keyboard.press("ArrowLeft")
    before = int(recording.probes(2).step[1])
    address = f"#run=0&sample=2&step={before}&token=5&view=end"
    expect(tab).to_have_url(f"file://{page}{address}".replace(" ", "%20"))


@pytest.mark.parametrize("moment", ["#step=99999999&token=9999&sample=77&run=5&beside=9", "#a=<b>"])
def test_an_address_of_another_page_does_no_harm(tab, page, moment):
    show(tab, page, moment)
    assert tab.inner_text(".chip") in ("right", "wrong")


def test_the_pointer_is_told_the_recorded_number(tab, page, recording):
    show(tab, page)
    probes = recording.probes(0)
    plot = tab.locator(".maps-panel .plot").first
    box = plot.bounding_box()
    plot.hover(position={"x": box["width"] * 0.6, "y": box["height"] * 0.3})
    told = tab.inner_text("#tip")
    step, token = (int(found) for found in re.findall(r"(?:step|token) (\d+)", told))
    logit = probes.start_logits[probes.step.tolist().index(step), token]
    said = float(re.search(r"logit (\S+)", told)[1].replace("−", "-"))
    assert said == pytest.approx(float(np.float16(logit)), rel=5e-4)
    assert f"Token {token} " in tab.inner_text(".token-line")
    assert f"({token})" in tab.inner_text(".shares-panel h4 >> nth=0")


def test_a_click_on_a_map_goes_to_its_step(tab, page):
    show(tab, page)
    plot = tab.locator(".maps-panel .plot").first
    plot.scroll_into_view_if_needed()
    plot.click(position={"x": 5, "y": 2})
    assert step_of(tab) == 0
    assert "Token 0 " in tab.inner_text(".token-line")


def test_a_teacher_leads_to_the_step_at_which_it_pushed_most(tab, page):
    show(tab, page)
    button = tab.locator(".teachers-panel button").first
    told = button.inner_text()
    tab.keyboard.press("Home")
    button.click()
    assert told == f"step {step_of(tab)}"
    assert step_of(tab) > 0


def test_two_runs_play_together_and_what_is_missing_is_said(tab, page):
    show(tab, page, "#beside=1")
    assert tab.locator(".story").count() == 2
    other = tab.locator(".story").nth(1)
    assert "an older version of the toolkit" in other.locator(".lens-panel").inner_text()
    differs = tab.get_by_role("region", name="What differs in cfg.json").inner_text()
    assert "learning_rate\t0.001\t0.01" in differs
    assert "output_dir" not in differs
    drag_to(tab, 0)
    assert re.fullmatch(
        "Step 0\nA answers (right|wrong), B answers (right|wrong)", tab.inner_text("#now")
    )
    tab.select_option("#beside", "")
    expect(tab.locator(".story")).to_have_count(1)


def test_what_the_score_is_made_of(tab, tmp_path):
    run = shutil.copytree(OLDER, tmp_path / "run")
    table = [["by question word", "EM", "questions"], ["<b>who</b>", "50.0", "4"]]
    kept = {"step": 40, "data": "a.json", "tables": [table], "verdicts": ["it is too sure"]}
    (run / "score-details.json").write_text(json.dumps(kept))
    show(tab, page_of(tmp_path, "run"))
    said = tab.inner_text("#details")
    assert "The answers to a.json, after step 40." in said
    assert "<b>who</b>\t50.0\t4" in said
    assert "It is too sure." in said
    (run / "score-details.json").write_text(json.dumps(kept | {"tables": 7}))
    show(tab, page_of(tmp_path, "run"))
    assert "Not shown: " in tab.inner_text("#details")


def test_another_run_is_chosen(tab, page):
    show(tab, page)
    tab.select_option("#run", "1")
    expect(tab.locator("#title")).to_contain_text("40 steps")
    assert "Not shown: " in tab.inner_text("#questions")


def test_nothing_is_in_the_way_of_assistive_technology(tab, page):
    show(tab, page)
    for details in tab.locator("details").all():
        details.evaluate("node => { node.open = true; }")
    assert problems_for_assistive_technology(tab) == []


def test_the_contrast_is_enough_in_the_dark_too(tab, page):
    tab.emulate_media(color_scheme="dark")
    show(tab, page, "#beside=1")
    assert problems_for_assistive_technology(tab, {"runOnly": ["color-contrast"]}) == []


def problems_for_assistive_technology(tab, options=None) -> list[tuple[str, str]]:
    """What axe-core finds: its rule, and the first element."""
    found = Axe().run(tab, options=options).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found]


@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_it_fits_every_width(tab, page, width):
    tab.set_viewport_size({"width": width, "height": 900})
    show(tab, page)
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    picture = tab.screenshot()
    assert len(set(picture)) > 200  # not blank


def test_hostile_texts_are_shown_and_do_nothing(tab, tmp_path):
    run = write_by_hand(tmp_path / "run", hostile_window())
    show(tab, page_of(tmp_path, run.path))
    assert "onerror=" in tab.inner_text(".tokens")
    assert tab.locator("img").count() == 0
    assert "taken" not in tab.title()
    assert HOSTILE[:9] in tab.inner_text(".verdict")


def test_a_recording_without_samples_opens(tab, tmp_path):
    show(tab, page_of(tmp_path, write_by_hand(tmp_path / "run").path))
    assert "the run tracks no question" in tab.inner_text(".story")
    tab.keyboard.press("Home")
    assert step_of(tab) == 0


def test_the_page_of_an_answer(tab, tmp_path):
    show(tab, page_of(tmp_path, OLDER, words=("--answer",)))
    assert "at dinner time" in tab.inner_text(".findings")
    assert not tab.is_visible("#player")
    assert tab.locator(".maps-panel .plot").count() == 2
    assert "lime-answer was not run" in tab.inner_text(".words-panel")
    assert problems_for_assistive_technology(tab) == []


def test_the_page_of_an_own_question_says_neither_right_nor_wrong(tab, tmp_path):
    run = shutil.copytree(OLDER, tmp_path / "run")
    kept = read_answer(RunFolder(run))
    window = replace(kept.facts.window, answer="", gold_start=0, gold_end=0)
    facts = replace(kept.facts, window=window, right=None)
    write_answer(RunFolder(run), replace(kept, facts=facts))
    show(tab, page_of(tmp_path, "run", words=("--answer",)))
    assert tab.inner_text(".chip") == "no given answer"
    assert "This answer appears in" in tab.inner_text(".findings")
    assert "the answer’s start “" in tab.inner_text(".shares-panel")
    words = re.findall(r"\b(?:right|wrong|true)\b", tab.inner_text("main"))
    assert words == []
    assert problems_for_assistive_technology(tab) == []


def test_tokens_are_named_below_a_map_where_there_is_room(tab, page, recording):
    tab.set_viewport_size({"width": 2560, "height": 1400})
    show(tab, page)
    axis = tab.locator(".map.start .axis-x").first
    expect(axis.locator(".named span")).to_have_count(len(recording.tracked().tokens))
    tab.evaluate("document.querySelector('.map.start .plot').style.width = '50px'")
    expect(axis.locator(".ticks-x:not(.named) span")).to_have_count(5)
    expect(axis).to_contain_text("place of the token")
