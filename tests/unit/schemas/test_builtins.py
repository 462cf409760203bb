"""The documents that come with the product."""

import pytest

from speedscale_schemas import builtins, validation
from speedscale_schemas.errors import ConfigError

ALL = [(kind, name) for kind in builtins.FOLDERS for name in builtins.names(kind)]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_each_is_valid_and_says_its_own_name(kind: str, name: str) -> None:
    document = builtins.document(kind, name)
    assert validation.check(kind, document, source=name) == []
    assert document["id"] == name


def test_a_copy_is_the_callers_own() -> None:
    builtins.document("filter-rule", "standard").clear()
    assert builtins.document("filter-rule", "standard")


def test_an_unknown_name_gets_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"test config 'standrad'.*standard.*did you mean 'standard'\?"):
        builtins.document("test-config", "standrad")


def test_an_unknown_kind_is_a_bug() -> None:
    with pytest.raises(KeyError):
        builtins.names("rule")
