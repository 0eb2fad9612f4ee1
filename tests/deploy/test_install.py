"""`make install` after one that was interrupted: with a project of one file and no dependency."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.driving import ROOT

PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
# the least that pip can install "editable" without a network and without setuptools
BACKEND = """\
import zipfile
INFO = "trial-1.dist-info"
WHEEL = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
def build_editable(directory, settings=None, metadata=None):
    name = "trial-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\\nName: trial\\nVersion: 1\\n")
        wheel.writestr(f"{INFO}/WHEEL", WHEEL)
        wheel.writestr(f"{INFO}/RECORD", "")
    return name
"""
STALE = Path(".venv/stale")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "install.sh", tmp_path / "deploy")
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "backend.py").write_text(BACKEND)
    return tmp_path


def install(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(project / "deploy" / "install.sh")],
        env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin", "HOME": str(project)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def environment(project: Path, *options: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", *options, project / ".venv"], check=True)
    (project / STALE).write_text("")


def test_an_environment_without_pip_is_built_again(project: Path) -> None:
    environment(project, "--without-pip")  # what Ctrl-C in ensurepip leaves
    answer = install(project)
    assert answer.returncode == 0, answer
    assert not (project / STALE).exists()
    (project / STALE).write_text("")
    assert install(project).returncode == 0
    assert (project / STALE).exists()  # a whole one is kept


def test_an_interrupted_installation_is_built_again_and_a_failed_one_says_why(
    project: Path,
) -> None:
    (project / "backend.py").write_text("import sys\nsys.exit('out of luck')\n")
    environment(project)
    broken = install(project)
    assert broken.returncode == 1
    assert broken.stderr.startswith("install: installing hcp itself failed: ")
    assert not broken.stderr.startswith("install: installing hcp itself failed:  (details")
    (project / "backend.py").write_text(BACKEND)
    assert (project / STALE).exists()
    assert install(project).returncode == 0
    assert not (project / STALE).exists()
