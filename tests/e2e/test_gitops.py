"""What Argo CD applies from a git server runs in pods, and what a person changes by hand is put back."""

from __future__ import annotations

import json

import pods
from harness.argocd import NAMESPACE as ARGOCD
from harness.argocd import ArgoCD, good
from harness.node.cluster import Node
from harness.repository import BRANCH, Repository

from speedscale_kube import Client, Ref


def test_a_commit_becomes_pods_and_drift_goes(
    node: Node, kube: Client, argo: ArgoCD, repository: Repository, namespace: str, shell_image: str
) -> None:
    template = pods.web(namespace, "web", shell_image, "of-git")
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": template["spec"]},
        },
    }
    service = pods.service(namespace, "web")
    del service["metadata"]["namespace"]
    del template["spec"]["terminationGracePeriodSeconds"]
    repository.write("app/deployment.yaml", json.dumps(deployment))
    repository.write("app/service.yaml", json.dumps(service))
    repository.commit("A web server")
    project = {"sourceRepos": ["*"], "destinations": [{"namespace": "*", "server": "*"}]}
    policy = {"automated": {"selfHeal": True, "prune": True}}
    kube.apply(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"namespace": ARGOCD, "name": "e2e"},
            "spec": project,
        },
        pods.MANAGER,
    )
    kube.apply(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"namespace": ARGOCD, "name": namespace},
            "spec": {
                "project": "e2e",
                "source": {"repoURL": repository.url, "path": "app", "targetRevision": BRANCH},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
                "syncPolicy": policy,
            },
        },
        pods.MANAGER,
    )
    try:
        argo.until_app(namespace, good, "it is synced and healthy")
        address = kube.get(Ref("v1", "Service", namespace, "web"))["spec"]["clusterIP"]
        answer = node.run_in("curl", "-sS", "--retry", "5", "--retry-connrefused", f"http://{address}/")
        assert answer.strip() == "of-git"
        kube.patch(Ref("apps/v1", "Deployment", namespace, "web"), {"spec": {"replicas": 0}}, "a-person")
        node.until(
            lambda: kube.get(Ref("apps/v1", "Deployment", namespace, "web"))["spec"]["replicas"] == 1, "it is put back"
        )
        argo.until_app(namespace, good, "it is healthy again")
    finally:
        argo.forget(argo.ref(namespace))
