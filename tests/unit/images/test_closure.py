"""What programs import, read from small source trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from speedscale_images import closure as closures

Trees = Callable[[Mapping[str, str]], Mapping[str, Path]]


@pytest.fixture
def tree(tmp_path: Path) -> Trees:
    """Write modules of `speedscale_runtime` by name and return the index of them."""

    def write(modules: Mapping[str, str]) -> Mapping[str, Path]:
        source = tmp_path / "runtime" / "src"
        for name, text in modules.items():
            path = source.joinpath(*name.split(".")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return closures.index(tmp_path)

    return write


@pytest.mark.parametrize(
    "text",
    [
        "import other.part",
        "from other import part",
        "def late():\n    import other.part",
        "try:\n    from other import part\nexcept ImportError:\n    pass",
        "from importlib.util import find_spec\nfind_spec('other.part')",
        "from importlib import resources\nresources.files('other.part')",
    ],
)
def test_an_import_counts_wherever_it_stands(tree: Trees, text: str) -> None:
    found = closures.closure(["speedscale_runtime.a"], tree({"speedscale_runtime.a": text}))
    assert "other.part" in found.foreign


@pytest.mark.parametrize("guard", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_what_only_a_type_checker_reads_does_not_count(tree: Trees, guard: str) -> None:
    text = f"import typing\nif {guard}:\n    import heavy\nelse:\n    import light"
    found = closures.closure(["speedscale_runtime.a"], tree({"speedscale_runtime.a": text}))
    assert set(found.foreign) == {"light"}


@pytest.mark.parametrize(
    "text",
    [
        "from . import b",
        "from .b import thing",
        "from speedscale_runtime import b",
        "COMMAND = ('-c', 'from speedscale_runtime.b import main; main()')",
        "MODULE = 'speedscale_runtime.b'",
        "ENTRY = 'speedscale_runtime.b:main'",
    ],
)
def test_our_modules_are_followed(tree: Trees, text: str) -> None:
    modules = tree({"speedscale_runtime.a": text, "speedscale_runtime.b": "import far"})
    found = closures.closure(["speedscale_runtime.a"], modules)
    assert found.foreign == {"far": "speedscale_runtime.b"}
    assert found.path("far") == "speedscale_runtime.a → speedscale_runtime.b → far"
    assert found.members == ("runtime",)


def test_a_name_made_while_running_stands_for_all_of_its_package(tree: Trees) -> None:
    modules = tree(
        {
            "speedscale_runtime.kinds.__init__": "import importlib\nimportlib.import_module(f'.{kind}', __package__)",
            "speedscale_runtime.kinds.one": "import first",
            "speedscale_runtime.kinds.two": "import second",
            "speedscale_runtime.elsewhere": "import third",
        }
    )
    assert set(closures.closure(["speedscale_runtime.kinds"], modules).foreign) == {"first", "second"}


def test_a_package_that_is_run_brings_its_main(tree: Trees) -> None:
    modules = tree(
        {
            "speedscale_runtime.a": "COMMAND = ['-m', 'speedscale_runtime.p']",
            "speedscale_runtime.p.__init__": "",
            "speedscale_runtime.p.__main__": "import needed",
        }
    )
    assert set(closures.closure(["speedscale_runtime.a"], modules).foreign) == {"needed"}


def test_packages_above_are_imported_and_text_is_no_import(tree: Trees) -> None:
    modules = tree(
        {
            "speedscale_runtime.__init__": "import above",
            "speedscale_runtime.a": "'from speedscale_runtime.b comes this'\nTEXT = 'speedscale_runtime.missing.name'",
        }
    )
    assert set(closures.closure(["speedscale_runtime.a"], modules).foreign) == {"above"}


def test_a_program_that_is_not_there_is_named(tree: Trees) -> None:
    with pytest.raises(KeyError, match=r"speedscale_runtime\.gone"):
        closures.closure(["speedscale_runtime.gone"], tree({"speedscale_runtime.a": ""}))
