"""The command line."""

from __future__ import annotations

import csv
import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schattor
from schattor.cli import main
from schattor.demo import training
from schattor.demo.methods import METHODS
from schattor.demo.output import FILES
from schattor.demo.training import Settings


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version of the command is that of the package."""
    with pytest.raises(SystemExit) as exit_info:
        main(["--version"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out == f"schattor {schattor.__version__}\n"


def test_help_names_options_files_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """A reader of the help learns what goes in, what comes out, and what the exit code means."""
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    text = capsys.readouterr().out
    for word in ("--quick", "--data", "--out", "--seed", "--no-progress", "loss_curves.png", "exit codes"):
        assert word in text


@pytest.mark.parametrize("arguments", [[], ["train"], ["demo", "--seed", "-1"], ["demo", "--seed", "x"]])
def test_wrong_arguments_exit_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use is told on stderr and starts nothing."""
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "error" in captured.err


@pytest.mark.parametrize("missing", ["sklearn", "matplotlib"])
def test_missing_extras_are_named(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the optional packages one line says what to install."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find_spec(name)
    )
    assert main(["demo", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert 'pip install "schattor[demo]"' in error


def test_output_path_that_is_a_file_is_refused(
    tmp_path: Path, blobs_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output directory is made before training, not found impossible after it."""
    (tmp_path / "taken").write_text("")
    assert main(["demo", "--data", str(blobs_file), "--out", str(tmp_path / "taken")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"schattor: --out {tmp_path / 'taken'}: ")
    assert captured.out == ""


def test_demo_runs_and_repeats_itself(
    tmp_path: Path,
    blobs_file: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command trains all methods on the user's data, writes its files; a seed fixes all but the times."""
    monkeypatch.setattr(training, "QUICK", settings)
    histories: list[dict[str, Any]] = []
    for out, seed in (("one", "3"), ("two", "3"), ("three", "4")):
        arguments = [
            "demo",
            "--quick",
            "--data",
            str(blobs_file),
            "--out",
            str(tmp_path / out),
            "--seed",
            seed,
        ]
        assert main(arguments) == 0
        with np.load(tmp_path / out / "history.npz") as archive:
            histories.append({name: archive[name] for name in archive.files if name != "ms_per_step"})
    for name, values in histories[0].items():
        np.testing.assert_array_equal(values, histories[1][name])
    assert not np.array_equal(histories[0]["train_loss"][:20], histories[2]["train_loss"][:20])

    printed = capsys.readouterr().out
    assert "perceptron 6-8-7-3" in printed
    for method in METHODS:
        # Once in the routing table, once when it is done, once in the result table.
        assert printed.count(f"{method.label} ") >= 3 * 3
    assert {path.name for path in (tmp_path / "one").iterdir()} == set(FILES)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one process")
def test_ctrl_c_keeps_what_was_done(tmp_path: Path, blobs_file: Path) -> None:
    """An interrupt after the first method ends with code 130 and the files of the finished runs."""
    out = tmp_path / "out"
    # A background job inherits an ignored SIGINT: the handler of a terminal is put back first.
    code = (
        "import signal, sys, schattor.cli;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "sys.exit(schattor.cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "demo", "--data", str(blobs_file), "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("  SGD "):
                break
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith("schattor: interrupted; ")
    assert errors.count("\n") == 1, "no traceback"
    assert "best lr" in printed
    assert {path.name for path in out.iterdir()} == set(FILES)
    with (out / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    final = {(row["method"], row["seed"]) for row in rows if row["phase"] == "final"}
    assert sum(method == "SGD" for method, _ in final) == Settings().n_seeds
    assert len({row["method"] for row in rows}) < len(METHODS)


def test_the_command_imports_the_demo_late() -> None:
    """`schattor --version` must not wait for scikit-learn or matplotlib, slow to load."""
    code = (
        "import sys, schattor.cli; print([m for m in ('sklearn', 'matplotlib', 'tqdm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
