"""The HTML report in a real browser: clicks, keys, sound, narrow screens, paper; no error and no request.

Chromium is driven by playwright: one of the system (``MOODLINE_CHROMIUM``, ``chromium``, ``google-chrome``), or the one
that ``playwright install chromium`` fetched.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest

from moodline.core.labels import MOSI_SCALE
from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.write import write_prediction
from tests.report.test_report_html import HOSTILE

pytestmark = pytest.mark.browser
Open = Callable[..., Any]
LABELS = ("neutral", "joy", "anger", "sadness")
WORDS = [
    "Do you hear me?",
    "Yes.",
    "We laugh less heartily.",
    "No, not heartily.",
    "What are you talking about?",
    "Ah.",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    own = os.environ.get("MOODLINE_CHROMIUM") or next((found for n in names if (found := shutil.which(n))), None)
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=own, args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(f"no Chromium to be driven: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Open a page in the browser; at the end no error may have come up and nothing may have been asked for."""
    troubles: list[str] = []
    contexts = []

    def act(
        predictions: list[Prediction], width: int = 1200, height: int = 800, anchor: str = "", **options: Any
    ) -> Any:
        path = tmp_path / "report.html"
        write_prediction(predictions, path)
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: troubles.append(f"console {m.type}: {m.text}"))
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
        page.on("request", lambda r: troubles.append(f"request: {r.url[:99]}") if not own(r.url, path) else None)
        page.goto(path.as_uri() + anchor)
        page.wait_for_selector(".turn", state="attached")
        return page

    yield act
    for context in contexts:
        context.close()
    assert troubles == []


def own(url: str, path: Path) -> bool:
    """Whether an address is the page itself, or sound that the page made of its own text."""
    return url.partition("#")[0] == path.as_uri() or url.startswith("blob:null/")


def talk(name: str = "talk", *, count: int = 12, timed: bool = True, experts: bool = True) -> Prediction:
    """Turns of two speakers with all sorts of scores; every fifth one abstained."""
    rows = []
    for n in range(count):
        order = [LABELS[(n * 7 // 3 + k) % 4] for k in range(4)]
        top = 0.4 + (n * 37 % 50) / 100
        scores = dict(zip(order, (top, (1 - top) * 0.6, (1 - top) * 0.3, (1 - top) * 0.1), strict=True))
        other = dict(zip(LABELS, (0.1, 0.2, 0.3, 0.4), strict=True))
        rows.append(
            UtterancePrediction(
                id=f"u{n}",
                speaker=("Nagg", "Nell")[n % 2],
                start=n * 2.25 if timed else None,
                end=n * 2.25 + 2 if timed else None,
                text=WORDS[n % len(WORDS)],
                probabilities=scores,
                abstained=n % 5 == 4,
                experts={"speech": other, "text": scores} if experts else {"text": scores},
                weights={"speech": 0.25, "text": 0.75} if experts else {"text": 1.0},
                modalities=("speech", "text"),
            )
        )
    return Prediction(name, "tiny", "0.1.0", LABELS, tuple(rows))


@pytest.fixture
def spoken() -> Iterator[Prediction]:
    """The same over a real recording of two people."""
    pytest.importorskip("moonshine_voice", reason="the recording comes with the package moonshine-voice")
    with as_file(files("moonshine_voice") / "assets" / "endgame_nagg_nell.wav") as path:
        yield dataclasses.replace(talk(), media=path, sound=path, notes=("A note.",))


def until(page: Any, expression: str) -> None:
    """Wait until an expression holds; playwright's own way evaluates a string, which the page's policy forbids."""
    end = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(30)


def selected(page: Any) -> list[str]:
    return page.eval_on_selector_all('.turn[aria-selected="true"]', "all => all.map(e => e.dataset.place)")


def test_a_click_shows_the_scores_of_the_turn(show: Open) -> None:
    prediction = talk()
    page = show([prediction])
    page.click("#turn-4")
    u = prediction.utterances[4]
    shown = page.eval_on_selector_all("#scores tr", "all => all.map(e => [e.cells[0].innerText, e.cells[2].innerText])")
    expected = [(label, f"{100 * score:.1f}\u00a0%") for label, score in u.probabilities.items()]
    assert [(name.split()[-1], number) for name, number in shown] == expected
    widths = page.eval_on_selector_all("#scores .fill", "all => all.map(e => e.offsetWidth / e.parentNode.offsetWidth)")
    assert widths == pytest.approx(list(u.probabilities.values()), abs=0.02)
    rows = page.eval_on_selector_all("#weights tr", "all => all.map(e => [e.cells[0].innerText, e.cells[2].innerText])")
    assert rows == [["speech", "25.0\u00a0%"], ["text", "75.0\u00a0%"]]
    cells = page.eval_on_selector_all("#experts tbody tr", "all => all.map(e => [...e.cells].map(c => c.innerText))")
    assert cells == [[n, f"{100 * u.experts['speech'][n]:.1f}", f"{100 * u.probabilities[n]:.1f}"] for n in LABELS]
    said = page.inner_text("#details")
    assert all(
        word in said for word in ("Turn 5", "0:09.0–0:11.0", "Nagg", WORDS[4], "abstained", "speech, text", "id u4")
    )
    assert page.evaluate("location.hash") == "#c1-t5"
    page.click("#turn-5")
    assert "abstained" not in page.inner_text("#details")
    assert "null" not in page.inner_text("#details")


def test_what_a_model_says_of_its_doubt_and_where_it_looked(show: Open) -> None:
    plain = talk()
    ids = [u.id for u in plain.utterances]
    attention = {"text": (((ids[0], 0.9),), ((ids[2], 0.7), (ids[0], 0.25)))}
    second = dataclasses.replace(plain.utterances[1], uncertainty={"text": 0.2, "speech": 0.4}, attention=attention)
    utterances = (plain.utterances[0], second, *plain.utterances[2:])
    page = show([dataclasses.replace(plain, utterances=utterances)])
    page.click("#turn-1")
    rows = page.eval_on_selector_all(
        "#uncertainty tr", "all => all.map(e => [e.cells[0].innerText, e.cells[2].innerText])"
    )
    assert rows == [["text", "0.200"], ["speech", "0.400"]]
    wide = page.eval_on_selector_all("#uncertainty .fill", "all => all.map(e => e.getBoundingClientRect().width)")
    assert wide[1] == pytest.approx(2 * wide[0], rel=0.05)
    assert page.inner_text("#looked") == "Looked at by text: turn 3 (70\u00a0%), turn 1 (25\u00a0%)"
    page.click("#turn-0")
    assert page.query_selector("#uncertainty") is None
    assert page.query_selector("#looked") is None


def test_keys(show: Open) -> None:
    page = show([talk()])
    keys = ["ArrowDown", "ArrowRight", "ArrowUp", "ArrowUp", "End", "ArrowDown", "Home"]
    for key, place in zip(keys, ["0", "1", "0", "0", "11", "11", "0"], strict=True):
        page.keyboard.press(key)
        assert selected(page) == [place], key
        assert page.evaluate("document.activeElement.id") == f"turn-{place}", key
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")
    page.keyboard.press("/")
    page.keyboard.type("heartily")
    assert page.inner_text("#count") == "4 of 12"
    page.keyboard.press("Escape")
    assert page.inner_text("#count") == "12"
    page.keyboard.press("ArrowDown")
    assert selected(page) == ["1"]
    assert not page.is_visible("#map")
    page.keyboard.press("+")
    assert page.wait_for_selector("#map", state="visible")
    page.keyboard.press("0")
    page.wait_for_selector("#map", state="hidden")


def test_focus_can_be_seen_and_everything_reached_by_tab(show: Open) -> None:
    page = show([talk("a"), talk("b")])
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        if page.evaluate("document.activeElement !== document.body"):
            assert style != "none", reached[-1]
    assert {"pick", "helper", "in", "out", "fit", "search", "who", "sure", "list"} <= set(reached)


def test_a_screen_reader_hears_the_turn(show: Open) -> None:
    page = show([talk()])
    name = page.locator("#turn-4").aria_snapshot()
    assert all(word in name for word in ("option", "0:09", "Nagg", WORDS[4], "unsure", "%"))
    page.click("#turn-4")
    assert page.locator("#list").get_by_role("option", selected=True).count() == 1
    assert "12 turns: Nagg 6 turns, Nell 6 turns" in page.get_by_role("img").first.get_attribute("aria-label")


def test_filters(show: Open) -> None:
    prediction = talk()
    page = show([prediction])

    def left() -> list[int]:
        return page.eval_on_selector_all(".turn:not([hidden])", "all => all.map(e => Number(e.dataset.place))")

    page.select_option("#who", label="Nell")
    assert left() == [1, 3, 5, 7, 9, 11]
    page.select_option("#who", label="all speakers")
    page.select_option("#sure", "unsure")
    assert left() == [4, 9]
    page.select_option("#sure", "0.6")
    assert left() == [n for n, u in enumerate(prediction.utterances) if u.confidence < 0.6]
    page.click("#clear")
    page.click("#legend button >> nth=2")
    assert left() == [n for n, u in enumerate(prediction.utterances) if u.emotion == "anger"]
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")  # from the first to the second of those that are left
    assert selected(page) == [str(left()[1])]
    page.fill("#search", "nobody said this")
    assert page.inner_text("#count") == "0 of 12"
    assert page.is_visible(".none")
    page.click("#clear")
    assert len(left()) == 12


def test_a_click_on_the_timeline_selects(show: Open, spoken: Prediction) -> None:
    page = show([spoken])
    box = page.locator("#line").bounding_box()
    x = box["x"] + 110 + (box["width"] - 110) * (7 * 2.25 + 1) / 28.28
    page.mouse.click(x, box["y"] + box["height"] - 15)  # the lane of the second speaker
    assert selected(page) == ["7"]
    page.click(".card a[data-place] >> nth=0")
    assert selected(page) != ["7"]


def test_the_sound_plays_and_shows_where_it_is(show: Open, spoken: Prediction) -> None:
    page = show([spoken])
    until(page, "document.getElementById('audio').readyState > 0")
    assert page.evaluate("document.getElementById('audio').duration") == pytest.approx(28.28, abs=0.2)
    page.click("#turn-3")
    page.keyboard.press("Enter")
    until(page, "document.getElementById('audio').currentTime > 7")
    assert page.eval_on_selector_all(".playing", "all => all.map(e => e.id)") == ["turn-3"]
    assert page.is_visible("#head")
    until(page, "document.getElementById('audio').paused")  # it stops where the turn ends
    assert page.evaluate("document.getElementById('audio').currentTime") == pytest.approx(3 * 2.25 + 2, abs=0.5)
    page.keyboard.press(" ")
    until(page, "!document.getElementById('audio').paused")
    until(page, "document.querySelector('.turn[aria-selected=true]').id === 'turn-4'")  # it is followed
    page.keyboard.press(" ")
    until(page, "document.getElementById('audio').paused")


def test_a_sound_that_is_too_large_is_played_from_its_own_file(
    show: Open, spoken: Prediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spoken.media is not None
    monkeypatch.setattr("moodline.report.html.page.write_html.__defaults__", (1000,))
    copy = tmp_path / "the call.wav"
    shutil.copy(spoken.media, copy)
    monkeypatch.setitem(globals(), "own", lambda url, path: url.startswith(path.parent.as_uri()))
    page = show([dataclasses.replace(spoken, media=copy, sound=copy)])
    until(page, "document.getElementById('audio').readyState > 0")
    assert "./the call.wav; keep the two together" in page.inner_text("#beside")
    assert page.evaluate("document.getElementById('audio').duration") == pytest.approx(28.28, abs=0.1)


def test_no_words_and_no_times(show: Open) -> None:
    plain = talk(timed=False, experts=False)
    rows = tuple(dataclasses.replace(u, text=None, speaker=None) for u in plain.utterances)
    page = show([dataclasses.replace(plain, utterances=rows)])
    page.keyboard.press("End")
    said = page.inner_text("#details")
    assert "Turn 12" in said
    assert "no words known" in said
    assert "unknown speaker" in said
    assert not page.is_visible("#player")
    assert not page.is_visible("#experts")  # one expert says what the mixture says
    assert page.inner_text("#turn-11 .time") == "#12"


def test_a_turn_without_a_time_is_listed_and_not_marked(show: Open, spoken: Prediction) -> None:
    rows = list(spoken.utterances)
    rows[3] = dataclasses.replace(rows[3], start=None, end=None)
    page = show([dataclasses.replace(spoken, utterances=tuple(rows))])
    assert page.locator(".turn").count() == len(rows)
    assert page.locator(".turn .time").nth(3).text_content() == "#4"
    assert "1 without a time" in page.inner_text("#facts")
    assert page.locator("#player").is_visible()
    places = [u.start for u in rows]
    box = page.locator("#line").bounding_box()
    length, left = 28.28, 110  # seconds of the recording; the speakers' names
    for n, start in ((2, places[2]), (4, places[4])):  # those around it are where they were
        x = left + (start + 0.5) / length * (box["width"] - left)
        lane = 20 + 80 + (n % 2) * 34 + 15
        page.locator("#line").click(position={"x": x, "y": lane})
        assert selected(page) == [str(n)]
    page.locator(".turn").nth(3).click()
    assert selected(page) == ["3"]
    assert page.locator("#play-turn").count() == 0
    page.keyboard.press("Enter")  # nothing to play, and no error
    page.locator(".turn").nth(4).click()
    assert page.locator("#play-turn").count() == 1


def test_a_picker_for_several_conversations_and_addresses(show: Open, spoken: Prediction) -> None:
    page = show([talk("first"), dataclasses.replace(spoken, conversation="second")], anchor="#c2-t3")
    assert page.inner_text("h1") == "second"
    assert selected(page) == ["2"]
    assert page.is_visible("#player")
    assert page.inner_text("#notes") == "A note."
    page.select_option("#pick", "0")
    assert page.inner_text("h1") == "first"
    assert selected(page) == []
    assert not page.is_visible("#notes")
    page.evaluate("location.hash = '#c2-t99'")  # nowhere
    page.evaluate("location.hash = '#c2-t5'")
    until(page, "document.querySelector('h1').innerText === 'second'")
    assert selected(page) == ["4"]


def test_hostile_words_are_shown_as_they_are(show: Open) -> None:
    plain = talk(count=1)
    scores = {HOSTILE: 1.0}
    u = dataclasses.replace(
        plain.utterances[0], id=HOSTILE, speaker=HOSTILE, text=HOSTILE, probabilities=scores, experts={HOSTILE: scores},
        weights={HOSTILE: 1.0}, modalities=(HOSTILE,),
    )  # fmt: skip
    page = show([Prediction(HOSTILE, HOSTILE, "0", (HOSTILE,), (u,), notes=(HOSTILE,))], width=360)
    page.keyboard.press("ArrowDown")
    for place in ("h1", "#notes li", "#turn-0 .words", "#details blockquote"):
        assert page.eval_on_selector(place, "e => e.textContent").startswith(HOSTILE), place
    assert page.evaluate("document.images.length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_press_counts_though_the_list_moves_before_the_release(show: Open) -> None:
    """Rows that come into view find their height only then."""
    page = show([talk()])
    page.locator("#turn-3").scroll_into_view_if_needed()
    page.wait_for_timeout(300)  # until it has come to rest
    box = page.locator("#turn-3").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.evaluate("document.getElementById('turn-1').style.height = '120px'")
    page.mouse.up()
    until(page, "document.querySelector('.turn[aria-selected=true]') !== null")
    assert selected(page) == ["3"]


@pytest.mark.parametrize("width", [320, 360, 700, 1000])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_screen_is_too_narrow(show: Open, spoken: Prediction, width: int, scheme: str) -> None:
    page = show([spoken, talk("b" * 90)], width=width, height=640, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.click("#turn-6")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.wait_for_selector("#scores", state="visible")
    seen = page.evaluate(
        "(() => { const t = document.getElementById('turn-6').getBoundingClientRect();"
        " const e = document.elementFromPoint(t.x + 9, t.y + t.height / 2); return e && e.closest('.turn')?.id; })()"
    )
    assert seen == "turn-6"  # nothing covers it
    page.select_option("#pick", "1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_text_has_contrast_in_light_and_dark(show: Open) -> None:
    from tests.report.test_report_html import contrast

    for scheme in ("light", "dark"):
        page = show([talk()], color_scheme=scheme)
        colours = page.evaluate(
            "['ink', 'quiet', 'accent', 'card', 'page', 'faint'].map(n =>"
            " getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim())"
        )
        ink, quiet, accent, *grounds = colours
        for ground in grounds:
            for text in (ink, quiet, accent):
                assert contrast(text, ground) >= 4.5, (scheme, text, ground)


def test_paper_has_every_turn(show: Open, spoken: Prediction) -> None:
    page = show([spoken], color_scheme="dark")
    page.click("#turn-2")
    page.keyboard.press("+")
    data = page.pdf(format="A4")
    assert data.startswith(b"%PDF")
    assert data.count(b"/Type /Page\n") in (1, 2)
    page.emulate_media(media="print")
    assert not page.is_visible("#details")
    assert not page.is_visible("#player")
    assert page.eval_on_selector("#list", "e => e.scrollHeight - e.clientHeight") <= 1


def test_five_thousand_turns_stay_usable(show: Open) -> None:
    page = show([talk(count=5000)])
    changes = page.evaluate(
        """async () => {
          const out = [];
          let count = 0;
          const observer = new MutationObserver((found) => (count += found.length));
          const what = { subtree: true, childList: true, attributes: true, characterData: true };
          observer.observe(document.querySelector("#list"), what);
          for (const key of ["End", "Home", "ArrowDown", "ArrowDown"]) {
            count = 0;
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            out.push(count);
          }
          return out;
        }"""
    )
    assert selected(page) == ["2"]
    assert all(0 < n < 50 for n in changes), changes  # a key touches the turns it concerns, not all of them
    page.fill("#search", "heartily")
    assert page.inner_text("#count") == "1666 of 5000"


def test_scores_in_place_of_emotions(show: Open) -> None:
    """A scale for a legend, bars from the middle, intervals for confidences, and no filter by confidence."""
    rows = [
        dataclasses.replace(
            u,
            probabilities={},
            abstained=False,
            experts={},
            value=score,
            interval=(score - 0.5, score + 0.5),
            expert_values={"speech": -score, "text": score},
        )
        for u, score in zip(talk(count=3).utterances, (1.5, -2.25, 0.0), strict=True)
    ]
    one = dataclasses.replace(talk(), labels=(), utterances=tuple(rows), scale=MOSI_SCALE, level=0.8)
    page = show([one])
    assert [c.inner_text() for c in page.query_selector_all("#legend .chip")] == [
        "−3.00",
        "−1.50",
        "0.00",
        "+1.50",
        "+3.00",
    ]
    assert page.locator("#sure").is_hidden()
    assert [c.inner_text() for c in page.query_selector_all(".turn .chip")] == ["+1.50", "−2.25", "0.00"]
    assert page.inner_text("#turn-1 .conf") == "−2.75 … −1.75"
    page.click("#turn-1")
    cells = [c.inner_text() for c in page.query_selector_all("#scores .number")]
    assert cells == ["−2.25", "+2.25", "−2.25"], "the mixture, speech alone, text alone"
    boxes = [page.locator("#scores .fill").nth(n).bounding_box() for n in (0, 1)]
    track = page.locator("#scores .track").first.bounding_box()
    middle = track["x"] + track["width"] / 2
    assert boxes[0]["x"] + boxes[0]["width"] == pytest.approx(middle, abs=1), "below: to the left of the middle"
    assert boxes[1]["x"] == pytest.approx(middle, abs=1), "above: to the right"
    assert boxes[0]["width"] == pytest.approx(0.375 * track["width"], abs=1)
    assert "mean" in page.inner_text("#cards")
    assert "−2.25" in page.inner_text("#cards")
    page.fill("#search", "Yes")
    assert page.locator(".turn:visible").count() == 1
