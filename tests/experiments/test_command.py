"""The command line of the experiments."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from schattor import experiments
from schattor.cli import main
from schattor.experiments import quadratic, quadratic_report
from schattor.experiments.results import FILE

# Half a second: enough to see what is written, not what comes out.
TINY = replace(quadratic.QUICK, steps=60, points=10, conditions=(1, 2, 100), sweep=3)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quadratic with short runs and one figure."""
    figures = {"floors": quadratic_report.draw_floors}
    monkeypatch.setattr(quadratic, "EXPERIMENT", replace(quadratic.EXPERIMENT, quick=TINY, figures=figures))


def arguments(out: Path, *more: str) -> list[str]:
    """A quick run of the quadratic."""
    return ["experiment", "quadratic", "--quick", "--out", str(out), "--no-progress", *more]


def test_help_names_every_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    """A reader of the help learns what there is, what it writes and how to go on."""
    with pytest.raises(SystemExit):
        main(["experiment", "--help"])
    text = capsys.readouterr().out
    for word in (*experiments.NAMES, "--quick", "--seed", "--out", "results.json", "Ctrl-C", "exit codes"):
        assert word in text


@pytest.mark.parametrize("wrong", [["experiment"], ["experiment", "nothing"]])
def test_wrong_names_exit_with_two(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown experiment starts nothing."""
    with pytest.raises(SystemExit) as exit_info:
        main(wrong)
    assert exit_info.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("tiny")
def test_the_command_writes_and_repeats_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Results and figures are written, findings printed; a seed fixes every number; a second call makes no runs."""
    for out, seed in (("one", "3"), ("two", "3"), ("three", "4")):
        assert main(arguments(tmp_path / out, "--seed", seed)) == 0
    one, two, three = (experiments.Results.read(tmp_path / name) for name in ("one", "two", "three"))
    assert one.complete
    assert one.command == "schattor experiment quadratic --quick --seed 3"
    assert one.runs == two.runs
    assert one.runs != three.runs
    assert {path.name for path in (tmp_path / "one").iterdir()} == {FILE, "floors.png"}
    printed = capsys.readouterr().out
    assert "What came out" in printed and "All methods at condition number 100" in printed
    before = (tmp_path / "one" / FILE).read_bytes()
    assert main(arguments(tmp_path / "one", "--seed", "3")) == 0
    assert (tmp_path / "one" / FILE).read_bytes() == before


@pytest.mark.usefixtures("tiny")
def test_other_runs_in_the_directory_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what is there and what to do."""
    assert main(arguments(tmp_path)) == 0
    capsys.readouterr()
    assert main(arguments(tmp_path, "--seed", "1")) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "holds runs of another seed (0)" in error


def test_output_path_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output directory is made before the first run."""
    (tmp_path / "taken").write_text("")
    assert main(arguments(tmp_path / "taken")) == 2
    assert capsys.readouterr().err.startswith(f"schattor: --out {tmp_path / 'taken'}: ")


def test_missing_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a package one line says what to install."""
    needs_more = replace(quadratic.EXPERIMENT, requires=("no_such_package",))
    monkeypatch.setattr(quadratic, "EXPERIMENT", needs_more)
    assert main(arguments(tmp_path / "out")) == 2
    assert 'needs no_such_package: pip install "schattor[demo]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one process")
def test_ctrl_c_keeps_finished_runs(tmp_path: Path) -> None:
    """An interrupt ends with code 130 and one line; what was finished is in the file."""
    # A background job inherits an ignored SIGINT: the handler of a terminal is put back first. The second run says
    # that it has begun, and waits.
    code = (
        "import signal, sys, time, schattor.cli;"
        "from dataclasses import replace; from schattor.experiments import quadratic as q;"
        "wait = lambda: (print('ready', flush=True), time.sleep(60), {})[2];"
        "measure = lambda session, settings: (session.run('a', lambda: {'y': 1.0}), session.run('b', wait));"
        "q.EXPERIMENT = replace(q.EXPERIMENT, measure=measure);"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "sys.exit(schattor.cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *arguments(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "ready":
                break
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert errors.startswith("schattor: interrupted; finished runs are kept in ")
    assert errors.count("\n") == 1, "no traceback"
    stored = experiments.Results.read(tmp_path)
    assert stored.runs == {"a": {"y": 1.0}}
    assert not stored.complete
