"""The installation is deleted by the commands of its README: nothing of it is left, and nothing hangs."""

from __future__ import annotations

from harness.page import Page
from harness.repository import EXAMPLES
from story import Tell
from whole import NAMESPACE, SHOP, Whole, named

from speedscale_kube import Ref

PART_OF = "app.kubernetes.io/part-of=speedscale"
KINDS = (
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
)


def test_removal_leaves_nothing_and_nothing_hangs(installed: Whole, tell: Tell) -> None:
    for command in Page(EXAMPLES / "README.md").commands("Of one Application"):
        installed.shell(command)
    assert [installed.kube.ref(one) for which in KINDS for one in installed.kube.list(*which, labels=PART_OF)] == []
    assert installed.kube.find(Ref("v1", "Namespace", "", NAMESPACE)) is None
    claims = installed.kube.list("v1", "PersistentVolume")
    installed.until(lambda: installed.kube.list("v1", "PersistentVolume") == [], f"volumes went with it: {claims}")
    work = [one for one in installed.pods(SHOP) if one["status"]["phase"] == "Running"]
    assert named(work) == {"payments": "1/1"}, "what is the users' goes on"
    tell("left after its removal", "nothing")
