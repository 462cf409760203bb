"""`--set`: typed by the schema, exact about what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_manifests.values import ValuesError, arguments, load


@pytest.mark.parametrize(
    ("argument", "path", "value"),
    [
        ("image.tag=1.20", ("image", "tag"), "1.20"),
        ("clusterName=true", ("clusterName",), "true"),
        ("deployDemo=", ("deployDemo",), ""),
        ("operator.replicas=2", ("operator", "replicas"), 2),
        ("hostNetwork=true", ("hostNetwork",), True),
        ("operator.resources.limits.cpu=2", ("operator", "resources", "limits", "cpu"), "2"),
        ("forwarder.persistence.size=5Gi", ("forwarder", "persistence", "size"), "5Gi"),
        ("no_proxy=.svc,10.0.0.0/8", ("no_proxy",), ".svc,10.0.0.0/8"),
        ("appUrl=a=b", ("appUrl",), "a=b"),
        ("namespaceSelector={shop,pay}", ("namespaceSelector",), ["shop", "pay"]),
        ("namespaceSelector={}", ("namespaceSelector",), []),
        ('namespaceSelector=["a"]', ("namespaceSelector",), ["a"]),
        ("networkPolicies.apiServerPorts={443,6443}", ("networkPolicies", "apiServerPorts"), [443, 6443]),
        ("globalLabels.example\\.com/team=1", ("globalLabels", "example.com/team"), "1"),
        ('globalLabels={"a":"b"}', ("globalLabels",), {"a": "b"}),
        ("globalPodSecurityContext.runAsUser=null", ("globalPodSecurityContext", "runAsUser"), None),
        (
            "globalPodSecurityContext.capabilities.drop={ALL}",
            ("globalPodSecurityContext", "capabilities", "drop"),
            ["ALL"],
        ),
        ("tolerations[0].effect=NoExecute", ("tolerations", 0, "effect"), "NoExecute"),
        ("tolerations[1].tolerationSeconds=30", ("tolerations", 1, "tolerationSeconds"), 30),
        ("affinity.nodeAffinity.weight=5", ("affinity", "nodeAffinity", "weight"), 5),
        ("affinity.nodeAffinity.name=x", ("affinity", "nodeAffinity", "name"), "x"),
        ('affinity.nodeAffinity.name="5"', ("affinity", "nodeAffinity", "name"), "5"),
        ('affinity.nodeAffinity={"a":[1]}', ("affinity", "nodeAffinity"), {"a": [1]}),
    ],
)
def test_values_have_the_settings_type(argument: str, path: tuple[str | int, ...], value: Any) -> None:
    found = arguments.assignment(argument)
    assert (found.path, found.value) == (path, value)
    assert type(found.value) is type(value)


@pytest.mark.parametrize(
    ("argument", "path", "told"),
    [
        ("forwarder.replicas", "", "there is no `=`"),
        ("=x", "", "the path is empty"),
        ("a..b=x", "", "a part of the path is empty"),
        ("a.=x", "", "a part of the path is empty"),
        ("forwarder.replica=2", "forwarder.replica", "did you mean 'replicas'?"),
        ("replicas=2", "replicas", "did you mean 'operator.replicas' or 'forwarder.replicas'?"),
        ("forwarder.replicas=two", "forwarder.replicas", "expected a whole number; e.g. `--set 'forwarder.replicas="),
        ("forwarder.replicas=2.5", "forwarder.replicas", "expected a whole number"),
        ("hostNetwork=yes", "hostNetwork", "expected true or false"),
        ("namespaceSelector=a", "namespaceSelector", "expected a list"),
        ("namespaceSelector=[1", "namespaceSelector", "expected JSON"),
        ("tolerations={a}", "tolerations", "expected a list of maps as JSON"),
        ("globalLabels=x", "globalLabels", "expected JSON"),
        ("globalLabels=[1]", "globalLabels", "expected a map as JSON"),
        ("affinity.nodeAffinity=NaN", "affinity.nodeAffinity", "NaN is no JSON"),
        ("namespace.x=1", "namespace.x", "namespace is no map"),
        ("namespace[0]=1", "namespace[0]", "namespace is no list"),
        ("tolerations.key=x", "tolerations.key", "say which item: `tolerations[0].key`"),
        ("operator.replicas=2,forwarder.replicas=3", "operator.replicas", "repeat the flag"),
    ],
)
def test_what_is_wrong_with_an_argument(argument: str, path: str, told: str) -> None:
    with pytest.raises(ValuesError) as caught:
        arguments.assignment(argument)
    refusal = caught.value.refusals[0]
    assert refusal.path == path
    assert told in str(refusal)
    assert str(refusal).startswith("--set ")


def test_the_value_of_a_secret_is_not_repeated() -> None:
    for argument in ("apiKey=hunter2hunter2", "http_proxy=http://u:hunter2@proxy:3128"):
        with pytest.raises(ValuesError) as caught:
            load(sets=[argument])
        assert "hunter2" not in str(caught.value)
        assert "(hidden)" in str(caught.value)


def test_items_change_the_list_as_it_stands() -> None:
    values = load(sets=["tolerations[0].effect=NoExecute", "tolerations[2].operator=Exists", "tolerations[1]=null"])
    assert [toleration.get("effect") for toleration in values.tolerations] == ["NoExecute", None]
    assert values.tolerations[0]["value"] == "amd64"
    values = load(sets=["namespaceSelector={a,b}", "namespaceSelector[1]=c", "namespaceSelector[2]=d"])
    assert values.namespace_selector == ("a", "c", "d")


def test_an_index_beyond_the_end_is_refused() -> None:
    with pytest.raises(ValuesError, match="the list has 2 items; the next index is 2"):
        load(sets=["tolerations[5].key=x"])


def test_arguments_win_over_each_other_in_order() -> None:
    values = load(sets=["forwarder.replicas=2", "forwarder.replicas=3"], profile="operator")
    assert values.forwarder.replicas == 3
    assert values.profile == "operator"
    assert values.sources["forwarder.replicas"] == "--set forwarder.replicas=3"
    assert values.sources["profile"] == "--profile operator"
