"""Makes the picture that other sites show beside a link to a tracker: web/static/preview.png.

    python -m tools.make_preview          needs Chromium: tools/install_browser.sh

One picture for all pages: networks show no SVG, and a picture of each rig would need a renderer in
the tracker.
"""

from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright
from tools.system_browser import system_browser

PICTURE: Final = Path(__file__).resolve().parents[1] / "web" / "static" / "preview.png"

_PAGE: Final = """\
<!doctype html>
<style>
body { margin: 0; width: 1200px; height: 630px; box-sizing: border-box; padding: 90px 100px;
  background: #eef2e8; color: #14211b; font-family: "Liberation Sans Narrow", sans-serif;
  border-bottom: 24px solid #b8320f; }
p { margin: 0; font-size: 40px; color: #4c5b53; }
h1 { margin: 60px 0 50px; font-size: 88px; line-height: 1.05; letter-spacing: -1px; }
b { color: #b8320f; }
</style>
<p><b>luckrig</b></p>
<h1>A public map of people&rsquo;s own LLM rigs.</h1>
<p>Pick that exact rig, use it through an OpenAI-compatible API.</p>
"""


def main() -> None:
    """Write the picture."""
    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=system_browser()) as browser:
            page = browser.new_page(viewport={"width": 1200, "height": 630})
            page.set_content(_PAGE)
            page.screenshot(path=PICTURE)


if __name__ == "__main__":
    main()
