"""The picture of the HTML report in the docs, made from the packaged sample: docs/images/report.png.

Needs playwright and a Chromium (see tests/report/test_report_browser.py).
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from importlib.resources import as_file, files
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 150_000  # bytes


def page(folder: Path) -> Path:
    """The report on the sample conversation."""
    from moodline import Recognizer, read_transcript
    from moodline.report.write import write_prediction

    with as_file(files("moodline") / "samples" / "family_dinner.json") as path:
        (conversation,) = read_transcript(path)
    write_prediction([Recognizer.load().recognize(conversation, 0.45)], folder / "report.html")
    return folder / "report.html"


def picture(path: Path) -> bytes:
    """The upper part of the page with a turn selected, as a PNG."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    own = os.environ.get("MOODLINE_CHROMIUM") or next((found for n in names if (found := shutil.which(n))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=own, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1380, "height": 1130})
        tab.goto(path.as_uri())
        tab.click("#turn-7")
        tab.evaluate("scrollTo(0, 0)")
        tab.mouse.move(0, 0)
        tab.wait_for_timeout(300)
        data = tab.screenshot()
        browser.close()
    return bytes(data)


def main() -> None:
    """Write the picture."""
    from PIL import Image

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "report.png")
    out: Path = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        data = picture(page(Path(folder)))
    small = Image.open(BytesIO(data)).convert("RGB").quantize(128)
    out.parent.mkdir(parents=True, exist_ok=True)
    small.save(out, optimize=True)
    size = out.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{out}: at most {LARGEST} bytes (found: {size})")
    print(f"written: {out} ({size} bytes)")


if __name__ == "__main__":
    main()
