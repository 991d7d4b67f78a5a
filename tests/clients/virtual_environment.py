"""The drivers, in the versions of requirements.txt, in a virtual environment below target/."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
BASE = HERE.parent.parent / "target" / "clients"
ENVIRONMENT = BASE / "venv"
PYTHON = ENVIRONMENT / "bin" / "python3"
# Written last, so that an environment that was made half, or with other versions, is made anew.
STAMP = ENVIRONMENT / "made-of.txt"


def enter():
    """Goes on in the environment, which is made if need be: the program starts again with its interpreter."""
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        _make()
        os.execv(PYTHON, [str(PYTHON), *sys.argv])


def _make():
    wanted = f"{sys.version}\n{REQUIREMENTS.read_text()}"
    BASE.mkdir(parents=True, exist_ok=True)
    with open(BASE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if STAMP.exists() and STAMP.read_text() == wanted:
            return
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(ENVIRONMENT), hint="on Debian, the package python3-venv makes it work")
        _run(
            str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
            "--only-binary=:all:", "--requirement", str(REQUIREMENTS), hint="the drivers come from PyPI")
        STAMP.write_text(wanted)


def _run(*command, hint):
    if subprocess.run(command).returncode != 0:
        sys.exit(f"{' '.join(command)} failed: {hint}")
