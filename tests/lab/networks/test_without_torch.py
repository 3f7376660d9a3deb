from __future__ import annotations

import subprocess
import sys

BLOCK = "import sys; sys.modules.update(torch=None, torchvision=None, timm=None); "


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BLOCK + code], capture_output=True, text=True, check=False)


def test_without_torch_the_networks_say_how_to_install_it() -> None:
    done = run("import heatprop.lab.networks")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: heatprop.lab.networks needs torch, which is not installed; "
        "run pip install 'heatprop[export]'"
    )


def test_everything_else_imports_without_torch() -> None:
    done = run(
        "import heatprop, importlib, pkgutil\n"
        "lab, torch = ('heatprop.lab.networks', 'heatprop.lab.training'), 'heatprop.backends.torch'\n"
        "rooms = (*lab, torch, 'heatprop.__main__')\n"
        "for module in pkgutil.walk_packages(heatprop.__path__, 'heatprop.', onerror=lambda name: None):\n"
        "    if not module.name.startswith(rooms):\n"
        "        importlib.import_module(module.name)"
    )
    assert (done.returncode, done.stderr) == (0, "")
