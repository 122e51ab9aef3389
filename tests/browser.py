"""A real browser for the tests: headless Chromium, driven by its command line alone."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FOUND = next((path for name in NAMES if (path := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(FOUND is None, reason=f"no browser: none of {', '.join(NAMES)}")

# A page around the page: it waits until that is loaded, runs a script on it, and shows what it
# returns. Scripts of the page itself run as they would for a reader.
AROUND = """\
<!doctype html><meta charset="utf-8">
<iframe id="frame" style="width: {width}px; height: 900px; border: 0"></iframe>
<pre id="answer"></pre>
<script>
const frame = document.getElementById("frame");
frame.onload = () => {{
  const page = frame.contentDocument, view = frame.contentWindow;
  document.getElementById("answer").textContent = JSON.stringify((() => {{ {script} }})());
}};
frame.src = {address};
</script>
"""


class Browser:
    """Chromium with a profile of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def ask(self, page: Path, script: str, *, width: int = 1000, fragment: str = "") -> Any:
        """Open `page` at a width, run a script that sees `page` and `view`, return its answer.

        Whatever the page writes to its console, an error or a refused request, fails the test.
        """
        around = self._folder / "around.html"
        address = json.dumps(page.as_uri() + fragment)
        around.write_text(AROUND.format(width=width, script=script, address=address))
        done = self._run("--dump-dom", around.as_uri())
        assert "CONSOLE" not in done.stderr, done.stderr
        _, _, rest = done.stdout.partition('<pre id="answer">')
        answer = rest.partition("</pre>")[0]
        assert answer, done.stderr
        return json.loads(html.unescape(answer))

    def picture(self, page: Path, width: int, height: int) -> bytes:
        """Return a PNG of the page."""
        path = self._folder / "picture.png"
        self._run(f"--window-size={width},{height}", f"--screenshot={path}", page.as_uri())
        return path.read_bytes()

    def printed(self, page: Path) -> bytes:
        """Return the page as PDF."""
        path = self._folder / "printed.pdf"
        self._run("--no-pdf-header-footer", f"--print-to-pdf={path}", page.as_uri())
        return path.read_bytes()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert FOUND is not None
        always = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        mine = ["--allow-file-access-from-files", "--enable-logging=stderr"]
        profile = f"--user-data-dir={self._folder / 'profile'}"
        return subprocess.run(
            [FOUND, *always, *mine, profile, "--disable-dev-shm-usage", *arguments],
            capture_output=True,
            text=True,
            timeout=90,
            check=True,
        )
