"""The texts of the Helm chart that are not objects. Filled by `helm`: `@namespace@`, `@name@`. Data only."""

from __future__ import annotations

VALUES = """\
# This chart takes no values. Its objects are complete: they were synthesised from the values file of the
# installation, and names in them reach from one object into another. Change that file, synthesise again
# (speedctl synth --format helm --out chart/) and upgrade the release.
{}
"""

GUARD = """\
{{- if ne .Release.Namespace "@namespace@" }}
{{- fail (printf "the objects of this chart are made for the namespace @namespace@, not %s: add --namespace @namespace@, or set namespace: %s in the values file and synthesise the chart again" .Release.Namespace .Release.Namespace) }}
{{- end }}
"""  # noqa: E501  # one message

NOTES = """\
Installed in namespace @namespace@. The operator makes certificates and turns its webhooks on when it is ready:

  kubectl -n @namespace@ rollout status deployment/speedscale-operator

Helm applies everything at once. Workloads that started before the webhooks were on get their sidecar from the
operator when it looks through the cluster; nothing has to be restarted by hand.

To send to a backend, put the key into a Secret of your own (it never stands in a chart):

  kubectl -n @namespace@ create secret generic speedscale-apikey \\
    --from-literal=SPEEDSCALE_API_KEY=... --from-literal=SPEEDSCALE_APP_URL=...
"""

README = """\
# Chart of the installation

Generated; the source is the values file it was synthesised from. The objects are those of the plain manifests.

    helm upgrade --install @name@ . --namespace @namespace@ --create-namespace

- **Values**: none. Set them in the values file, run `speedctl synth --format helm --out <this folder>`, upgrade.
- **Namespace**: `@namespace@`, and no other: webhooks, rights and the bundle name it. The chart refuses another one.
  The Namespace itself is not in the chart, since Helm needs it before the chart is there.
- **CustomResourceDefinition**: in `templates/`, so that an upgrade brings the new one. It stays when the release is
  removed; `kubectl delete crd trafficreplays.speedscale.com` removes it together with every replay.
- **Taking over** an installation that another tool made: add `--take-ownership` (Helm 3.17 or newer).
- **Secrets**: none in the chart. The operator makes certificates and keys in the cluster.
- **Order**: Helm knows no waves. What started before the operator was ready gets its sidecar once it is.
- **Argo CD** renders this chart as well as the plain manifests; annotations for its waves are in place.
"""
