"""speedctl's root: which verbs there are, what an unknown one gets, and that help is fast."""

import subprocess
import sys

import pytest

from speedscale_runtime.cli import root

HEAVY = (
    "aiohttp",
    "asyncio",
    "cryptography",
    "httptools",
    "hyperscan",
    "jsonschema",
    "orjson",
    "phonenumbers",
    "prometheus_client",
    "ruamel",
    "structlog",
    "uvloop",
    "speedscale_runtime.rrpair",
    "speedscale_runtime.dlp",
    "speedscale_runtime.proxy",
)


def test_help_lists_every_verb_and_imports_none_of_them() -> None:
    code = (
        "import sys; from speedscale_runtime.cli.root import main; code = main(['--help']);"
        "print('MODULES', *sorted(sys.modules)); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown, _, modules = done.stdout.partition("MODULES ")
    loaded = set(modules.split())
    for verb in root.verbs().values():
        assert f"\n  {verb.name} " in shown
        assert verb.module not in loaded
    assert not [m for m in HEAVY if any(x == m or x.startswith(m + ".") for x in loaded)]


@pytest.mark.parametrize(("typed", "meant"), [("reply", "replay"), ("recrod", "record"), ("snapshots", "snapshot")])
def test_a_misspelt_verb_gets_the_nearest_one(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.main([typed]) == 2
    assert f"did you mean '{meant}'?" in capsys.readouterr().err


def test_no_verb_is_an_error_in_use_and_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.main([]) == 2
    assert "usage: speedctl" in capsys.readouterr().out


def test_version_by_verb_and_by_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.main(["version"]) == 0
    first = capsys.readouterr().out
    assert root.main(["--version"]) == 0
    assert capsys.readouterr().out == first
    assert first.startswith("speedctl ")


@pytest.mark.parametrize("name", sorted(root.verbs()))
def test_every_verb_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        root.main([name, "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: speedctl {name}" in text
    if name != "version":
        assert f"speedctl {name}" in text.split("usage:", 1)[1].split("\n", 1)[1], "an example in the epilog"


def test_a_disk_without_room_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from speedscale_runtime.cli import version

    def full(_: object) -> int:
        raise OSError(28, "No space left on device", "snap/unsorted")

    monkeypatch.setattr(version, "run", full)
    assert root.main(["version"]) == 2
    assert "snap/unsorted: No space left on device" in capsys.readouterr().err


def test_a_reader_that_left_changes_no_exit_code() -> None:
    """More is printed than a pipe holds; the reader is gone before."""
    code = (
        "import argparse, sys; from speedscale_runtime.cli.output import emit;"
        "emit(argparse.Namespace(output='text'), {}, 'x' * 1_000_000); sys.exit(1)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(30), said) == (1, b"")


def test_ctrl_c_while_a_verb_is_imported_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(root.importlib, "import_module", interrupted)
    assert root.main(["inspect", "--in", "x"]) == 130
