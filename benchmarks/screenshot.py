"""Take a picture of a course report as a phone shows its top and a desk one target, with Debian's Chromium.

usage: screenshot.py REPORT.html PICTURE.png
"""

import argparse
import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run"]
HEIGHT = 1500
GAP = 40


def picture(browser: Any, report: Path, width: int, scheme: str, part: str) -> Image.Image:
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme, offline=True)
    page = context.new_page()
    page.goto(report.absolute().as_uri())
    page.evaluate("part => document.querySelector(part).scrollIntoView()", part)
    taken = Image.open(io.BytesIO(page.screenshot()))
    context.close()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("picture", type=Path)
    asked = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        phone = picture(browser, asked.report, 390, "dark", "body")
        desk = picture(browser, asked.report, 1100, "light", "#targets")
        browser.close()
    whole = Image.new("RGB", (phone.width + GAP + desk.width, HEIGHT), "white")
    whole.paste(phone, (0, 0))
    whole.paste(desk, (phone.width + GAP, 0))
    whole.quantize(96).save(asked.picture, optimize=True)


if __name__ == "__main__":
    main()
