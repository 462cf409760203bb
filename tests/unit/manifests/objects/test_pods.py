"""Pod templates."""

from __future__ import annotations

from speedscale_manifests.objects import config_map, container, names, pod_template, selector
from speedscale_manifests.values import Values, from_mapping


def boxes(values: Values) -> list[dict[str, object]]:
    return [container(values, "a", "forwarder", {})]


def test_no_token_is_mounted_unless_asked_for() -> None:
    values = from_mapping({})
    assert pod_template(values, "forwarder", boxes(values))["spec"]["automountServiceAccountToken"] is False
    with_token = pod_template(values, "forwarder", boxes(values), service_account="speedscale-forwarder", token=True)
    assert with_token["spec"]["automountServiceAccountToken"] is True


def test_services_around_do_not_become_variables() -> None:
    values = from_mapping({})
    assert pod_template(values, "forwarder", boxes(values))["spec"]["enableServiceLinks"] is False


def test_where_it_runs_comes_from_the_values() -> None:
    values = from_mapping(
        {
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "high",
        }
    )
    spec = pod_template(values, "forwarder", boxes(values))["spec"]
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["affinity"] == {"nodeAffinity": {}}
    assert spec["priorityClassName"] == "high"


def test_a_field_of_its_own_wins_and_none_takes_a_default_away() -> None:
    values = from_mapping({"nodeSelector": {"disk": "ssd"}})
    spec = pod_template(values, "nettap", boxes(values), nodeSelector=None, tolerations=[{"operator": "Exists"}])[
        "spec"
    ]
    assert "nodeSelector" not in spec
    assert spec["tolerations"] == [{"operator": "Exists"}]


def test_without_an_account_the_pod_bears_the_pull_secrets_itself() -> None:
    values = from_mapping({"image": {"pullSecrets": ["registry"]}})
    assert pod_template(values, "a", boxes(values))["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert "imagePullSecrets" not in pod_template(values, "a", boxes(values), service_account="b")["spec"]


def test_openshift_leaves_user_and_group_ids_to_the_namespace() -> None:
    spec = pod_template(from_mapping({"preset": "openshift"}), "a", boxes(from_mapping({"preset": "openshift"})))[
        "spec"
    ]
    assert spec["securityContext"] == {"runAsNonRoot": True}
    assert not {"runAsUser", "runAsGroup"} & set(spec["containers"][0]["securityContext"])


def test_a_change_of_configuration_changes_the_template() -> None:
    values = from_mapping({})
    hashes = {
        pod_template(values, "a", boxes(values), config=[config_map(values, "a", {"k": text})])["metadata"][
            "annotations"
        ][names.CONFIG_HASH]
        for text in ("1", "2", "1")
    }
    assert len(hashes) == 2


def test_pods_bear_the_users_labels_and_ours() -> None:
    values = from_mapping({"globalLabels": {"team": "x"}, "globalAnnotations": {"a.b/c": "d"}})
    found = pod_template(values, "forwarder", boxes(values))["metadata"]
    assert found["labels"].items() >= {"team": "x", **selector("forwarder")}.items()
    assert found["annotations"] == {"a.b/c": "d"}
