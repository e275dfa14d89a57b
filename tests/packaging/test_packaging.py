"""The source archive, the wheel, the editable install and the build options."""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from schattor import experiments

from .conftest import ROOT, Environment, make_environment, run

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = [
    pytest.mark.verify,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(sys.platform == "win32", reason="the paths are those of POSIX systems"),
]

# The spectral ball oracle of a diagonal matrix is minus the signs of its diagonal.
SMALL_COMPUTATION = """
import numpy as np, schattor as st
for dtype in (np.float32, np.float64):
    D = st.ball_oracle(np.diag([3.0, -2.0, 0.5]).astype(dtype), np.inf, backend="svd")
    assert D.dtype == dtype
    np.testing.assert_allclose(D, np.diag([-1.0, 1.0, -1.0]), atol=1e-6)
print(st.__version__)
"""


def tracked_version() -> str:
    """Return the version that the one tracked file states."""
    text = (ROOT / "src/schattor/_version.py").read_text()
    (version,) = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return version


def metadata_of(wheel: Path) -> email.message.Message:
    """Return the metadata of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def test_sdist_holds_sources_and_nothing_built(sdist: Path) -> None:
    """The archive must suffice to build, test and document, and carry no product of a build."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "src/cpp").rglob("*.cpp")}
    assert sources <= names
    assert {
        "pyproject.toml",
        "CMakeLists.txt",
        "LICENSE",
        "README.md",
        "Makefile",
        "src/schattor/py.typed",
    } <= names
    assert any(name.startswith("docs/") for name in names)
    assert any(name.startswith("tests/") for name in names)
    products = [name for name in names if re.search(r"\.(so|o|a|pyc)$|^(build|dist|\.venv|\.git)/", name)]
    assert products == []


def test_wheel_carries_the_library_its_licence_and_the_types(wheel: Path) -> None:
    """A wheel must work without a system BLAS, respect the licence of its own, and be typed."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        licences = {
            name: archive.read(name).decode("utf-8", "replace")
            for name in names
            if "LICENSE" in Path(name).name
        }
    info = f"schattor-{tracked_version()}.dist-info"
    assert [name for name in names if re.fullmatch(r"schattor/_edge/_core\..*(so|dylib)", name)]
    assert [
        name for name in names if re.fullmatch(r"schattor/_edge/\.libs/libscipy_openblas.*\.(so|dylib)", name)
    ]
    assert {"schattor/py.typed", "schattor/_edge/_core.pyi"} <= set(names)
    assert "Schattor developers" in licences[f"{info}/licenses/LICENSE"]
    assert "OpenBLAS" in licences[f"{info}/licenses/LICENSE-OpenBLAS.txt"]
    assert "Wenzel Jakob" in licences[f"{info}/licenses/LICENSE-pybind11.txt"]
    assert "Eigen" in licences[f"{info}/licenses/LICENSE-THIRD-PARTY.txt"]
    assert (
        licences["schattor/_edge/.libs/LICENSE-OpenBLAS.txt"]
        == licences[f"{info}/licenses/LICENSE-OpenBLAS.txt"]
    )
    strangers = [name for name in names if not name.startswith(("schattor/", f"{info}/"))]
    assert strangers == []
    assert [name for name in names if name.endswith((".cpp", ".h", ".hpp", ".a", ".pyc"))] == []


def test_wheel_metadata(wheel: Path) -> None:
    """NumPy is the only run-time dependency, and the version is that of the tracked file."""
    metadata = metadata_of(wheel)
    unconditional = [need for need in metadata.get_all("Requires-Dist") if "extra ==" not in need]
    assert unconditional == ["numpy>=2.0"]
    assert metadata["Version"] == tracked_version()
    assert metadata["Requires-Python"] == ">=3.10"
    assert {"demo", "test", "docs", "dev", "bench"} <= set(metadata.get_all("Provides-Extra"))


def test_clean_environment_with_numpy_alone(clean: Environment) -> None:
    """The wheel must import and compute where nothing but NumPy is installed."""
    code = "import importlib.metadata as m; print(*sorted({d.name.lower() for d in m.distributions()}))"
    assert set(clean.execute(code).split()) - {"pip", "setuptools"} == {"numpy", "schattor"}
    assert clean.execute(SMALL_COMPUTATION) == tracked_version()
    help_text = run(clean.root / "bin" / "schattor", "--help", cwd=clean.root).stdout
    assert "demo" in help_text


def test_stored_experiments_come_with_the_wheel(wheel: Path, clean: Environment) -> None:
    """Full results need no checkout, and are less than a twentieth of what the wheel's library weighs."""
    code = (
        "from schattor import experiments; "
        "print(*(experiments.stored(name).experiment for name in experiments.NAMES))"
    )
    assert clean.execute(code).split() == list(experiments.NAMES)
    with zipfile.ZipFile(wheel) as archive:
        sizes = {entry.filename: entry.compress_size for entry in archive.infolist()}
    kept = sum(size for name, size in sizes.items() if name.startswith("schattor/experiments/_stored/"))
    assert 0 < kept < sum(sizes.values()) / 20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_bundled_library_is_the_one_loaded(clean: Environment) -> None:
    """The run path must lead to the copy inside the package, wherever the environment stands."""
    code = (
        "import pathlib, schattor; here = pathlib.Path(schattor.__file__).parent.resolve(); "
        "maps = pathlib.Path('/proc/self/maps').read_text().split('\\n'); "
        "paths = {line.split(maxsplit=5)[5] for line in maps if 'libscipy_openblas.' in line}; "
        "print(*(pathlib.Path(path).relative_to(here).as_posix() for path in paths))"
    )
    assert clean.execute(code) == "_edge/.libs/libscipy_openblas.so"


def test_editable_install(source_tree: Path, tmp_path: Path) -> None:
    """An editable install must take Python from the tree, the core from the build, and show an edit at once."""
    tree = tmp_path / "tree"
    shutil.copytree(source_tree, tree)
    environment = make_environment(tmp_path / "venv")
    environment.pip("install", "--editable", tree)
    assert environment.execute(SMALL_COMPUTATION) == tracked_version()
    module = Path(environment.execute("import schattor; print(schattor.__file__)"))
    assert module.resolve() == (tree / "src/schattor/__init__.py").resolve()
    with module.open("a") as file:
        file.write("\nedited = True\n")
    assert environment.execute("import schattor; print(schattor.edited)") == "True"


def test_version_stands_in_one_file(source_tree: Path, tmp_path: Path) -> None:
    """Editing the version file alone must change the version of the package."""
    tree = tmp_path / "tree"
    shutil.copytree(source_tree, tree)
    (tree / "src/schattor/_version.py").write_text('"""Version."""\n\n__version__ = "7.8.9"\n')
    code = "import sys, build.util as u; print(u.project_wheel_metadata(sys.argv[1])['Version'])"
    assert run(sys.executable, "-c", code, tree, cwd=tmp_path).stdout.split()[-1] == "7.8.9"


def test_unknown_blas_is_refused(source_tree: Path, tmp_path: Path) -> None:
    """A misspelt option must stop the build and name the choices."""
    result = run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "-C", "schattor.blas=sytem", source_tree),
        cwd=tmp_path,
        check=False,
    )
    assert result.returncode != 0
    assert 'SCHATTOR_BLAS is "sytem"; it must be "bundled" or "system"' in result.stdout + result.stderr


def system_lapack_links() -> bool:
    """Return whether the compiler finds a LAPACK and a BLAS of the system."""
    compiler = shutil.which("c++")
    if compiler is None:
        return False
    command = [compiler, "-x", "c++", "-", "-o", "/dev/null", "-llapack", "-lblas"]
    return subprocess.run(command, input="int main() {}", text=True, capture_output=True).returncode == 0


@pytest.mark.skipif(not system_lapack_links(), reason="no BLAS and LAPACK of the system to link against")
def test_system_blas(source_tree: Path, tmp_path: Path) -> None:
    """The documented option must link the system's BLAS and leave the bundled one out."""
    environment = make_environment(tmp_path / "venv")
    environment.pip("wheel", "--no-deps", "--wheel-dir", tmp_path, "-C", "schattor.blas=system", source_tree)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert [name for name in archive.namelist() if "openblas" in name.lower()] == []
    environment.pip("install", wheel)
    assert environment.execute(SMALL_COMPUTATION) == tracked_version()


def test_requirements_agree() -> None:
    """The build requirements are listed for pip, for the Makefile and for developers; they must not drift."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tool = project["tool"]["scikit-build"]
    needed = {*project["build-system"]["requires"], *tool["build"]["requires"]}
    for override in tool["overrides"]:
        needed |= set(override["build"]["requires"])
    group = set(project["dependency-groups"]["build"])
    assert needed <= group
    assert group <= set(project["project"]["optional-dependencies"]["dev"])
