"""Builds of the package, each made once: source archive, wheel, clean environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_SOURCE = (".git", ".venv", "build", "dist", "__pycache__", ".*_cache", ".hypothesis", "*.so", "_build")


def run(
    *command: str | Path, cwd: Path, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command outside the source tree, in an environment without the settings of this one."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SCHATTOR_BLAS", "VIRTUAL_ENV"}
    }
    env |= {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | environment
    result = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True)
    if check and result.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))} failed:\n{result.stdout}\n{result.stderr}", pytrace=False)
    return result


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own."""

    root: Path

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.root / "bin" / "python"

    def execute(self, code: str, **environment: str) -> str:
        """Run Python code there and return what it printed."""
        return run(self.python, "-I", "-c", code, cwd=self.root, **environment).stdout.strip()

    def pip(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run pip there."""
        return run(self.python, "-m", "pip", *arguments, cwd=self.root, check=check)


def make_environment(directory: Path) -> Environment:
    """Return a new virtual environment that holds nothing but pip."""
    run(sys.executable, "-m", "venv", directory, cwd=directory.parent)
    return Environment(directory)


@pytest.fixture(scope="session")
def source_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources without git, in a directory with a space in its name."""
    copy = tmp_path_factory.mktemp("source") / "a directory" / "schattor"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    return copy


@pytest.fixture(scope="session")
def sdist(source_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the source archive."""
    out = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "build", "--sdist", "--outdir", out, source_tree, cwd=out)
    (archive,) = out.iterdir()
    return archive


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that pip builds from the source archive, in an isolated environment."""
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", out, sdist, cwd=out)
    (archive,) = out.iterdir()
    return archive


@pytest.fixture(scope="session")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment into which only the wheel was installed."""
    environment = make_environment(tmp_path_factory.mktemp("clean") / "venv")
    environment.pip("install", wheel)
    return environment
