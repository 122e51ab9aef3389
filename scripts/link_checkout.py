"""Make this checkout importable from any folder with this virtual environment, without a build."""

import sysconfig
from pathlib import Path

checkout = Path(__file__).resolve().parent.parent
Path(sysconfig.get_path("purelib"), "fraudlab-checkout.pth").write_text(f"{checkout}\n")
