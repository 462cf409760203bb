"""The installation's values as frozen dataclasses. Written by `make gen`; change the schema, not this.

Every component reads settings from here and from nowhere else. A tree that comes in is merged, checked and frozen;
`of` only gives its parts their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .frozen import Frozen, plain
from .places import Warned, text


@dataclass(frozen=True, slots=True)
class Image:
    """Images of all components."""

    registry: str
    """Registry and path before the image's name; images are made by `make images` and pushed to your own."""
    tag: str
    """Tag of every image that has none of its own in `imageTags`."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"]
    """When images are pulled."""
    pull_secrets: tuple[str, ...]
    """Names of pull Secrets, set on our ServiceAccounts; the controller copies them to where sidecars and replays
    run.
    """

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Image:
        """Name the parts of a checked tree."""
        return cls(
            registry=tree["registry"],
            tag=tree["tag"],
            pull_policy=tree["pullPolicy"],
            pull_secrets=tree["pullSecrets"],
        )


@dataclass(frozen=True, slots=True)
class Dlp:
    """Redaction of personal data before anything is stored or leaves."""

    enabled: bool
    """Redact. Off means original values are stored and exported."""
    config: str
    """DLP rule of the forwarder: one that comes with it or one of `rules.dlp`."""
    key_secret: str
    """Secret {key id: key} for the tokens, if you bring your own; empty means the controller makes
    `speedscale-dlp-key`.
    """

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Dlp:
        """Name the parts of a checked tree."""
        return cls(
            enabled=tree["enabled"],
            config=tree["config"],
            key_secret=tree["keySecret"],
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """Your own rules, written into a ConfigMap that the forwarder reads live."""

    filters: Mapping[str, Any]
    """Filter rules by name; the form is that of `docs/reference/filter-rule.md`."""
    dlp: Mapping[str, Any]
    """DLP rules by name; the form is that of `docs/reference/dlp-rule.md`."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Rules:
        """Name the parts of a checked tree."""
        return cls(
            filters=tree["filters"],
            dlp=tree["dlp"],
        )


@dataclass(frozen=True, slots=True)
class CertificatesIssuerRef:
    """Issuer, with mode `cert-manager`."""

    name: str
    """Name of the issuer."""
    kind: Literal["ClusterIssuer", "Issuer"]
    """Kind of the issuer."""
    group: str
    """API group of the issuer."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> CertificatesIssuerRef:
        """Name the parts of a checked tree."""
        return cls(
            name=tree["name"],
            kind=tree["kind"],
            group=tree["group"],
        )


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where certificates come from."""

    mode: Literal["controller", "cert-manager", "manual"]
    """`controller`: made and renewed in the cluster. `cert-manager`: Certificates for an issuer of yours. `manual`: you
    make the Secrets and inject the CA.
    """
    issuer_ref: CertificatesIssuerRef
    """Issuer, with mode `cert-manager`."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Certificates:
        """Name the parts of a checked tree."""
        return cls(
            mode=tree["mode"],
            issuer_ref=CertificatesIssuerRef.of(tree["issuerRef"]),
        )


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo application."""

    dependency_url: str
    """Where java-server has orders paid; empty means that it calls nobody."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Demo:
        """Name the parts of a checked tree."""
        return cls(
            dependency_url=tree["dependencyURL"],
        )


@dataclass(frozen=True, slots=True)
class PreInstall:
    """A Job before the rest (PreSync in Argo CD, pre-install in Helm) that checks the key and the way to the
    backend.
    """

    enabled: bool
    """Run it."""
    resources: Mapping[str, Any]
    """Requests and limits of the Job."""
    max_attempts: int
    """Tries within a pod."""
    retry_delay_seconds: int
    """Seconds between tries."""
    backoff_limit: int
    """Pods that may fail before the Job does."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> PreInstall:
        """Name the parts of a checked tree."""
        return cls(
            enabled=tree["enabled"],
            resources=tree["resources"],
            max_attempts=tree["maxAttempts"],
            retry_delay_seconds=tree["retryDelaySeconds"],
            backoff_limit=tree["backoffLimit"],
        )


@dataclass(frozen=True, slots=True)
class Operator:
    """The controller and its webhooks."""

    replicas: int
    """Pods; all answer admission requests, one reconciles. More than one needs `leaderElection`."""
    leader_election: bool
    """One active controller by a Lease."""
    pod_disruption_budget: bool
    """Keep one pod during voluntary disruptions; written when there is more than one."""
    resources: Mapping[str, Any]
    """Requests and limits of the operator."""
    test_prep_timeout: str
    """How long a replay waits for the workload to become ready."""
    control_plane_timeout: str
    """How long a managed component may take to roll out."""
    drift: Literal["", "enforce", "report", "off"]
    """What the controller does with changed components: `enforce`, `report` or `off`; empty means `report` in profile
    gitops, `enforce` in profile operator.
    """
    webhook_timeout_seconds: int
    """How long the API server waits for the workload webhook before it lets the workload through."""
    replay_webhook_timeout_seconds: int
    """How long the API server waits for the replay webhooks."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Operator:
        """Name the parts of a checked tree."""
        return cls(
            replicas=tree["replicas"],
            leader_election=tree["leaderElection"],
            pod_disruption_budget=tree["podDisruptionBudget"],
            resources=tree["resources"],
            test_prep_timeout=tree["test_prep_timeout"],
            control_plane_timeout=tree["control_plane_timeout"],
            drift=tree["drift"],
            webhook_timeout_seconds=tree["webhookTimeoutSeconds"],
            replay_webhook_timeout_seconds=tree["replayWebhookTimeoutSeconds"],
        )


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Defaults of the sidecar; annotations on a workload win."""

    resources: Mapping[str, Any]
    """Requests and limits of the sidecar."""
    ignore_src_hosts: str
    """Hosts whose inbound traffic bypasses the proxy."""
    ignore_src_ips: str
    """Addresses whose inbound traffic bypasses the proxy."""
    ignore_dst_hosts: str
    """Hosts to which traffic bypasses the proxy."""
    ignore_dst_ips: str
    """Addresses to which traffic bypasses the proxy."""
    insert_init_first: bool
    """Our init container before the workload's own."""
    tls_out: bool
    """Unwrap outbound TLS."""
    reinitialize_iptables: bool
    """Write the rules anew when the sidecar's container restarts."""
    proxy_type: Literal["transparent", "reverse", "forward", "dual"]
    """How traffic reaches the proxy."""
    native_sidecars: Literal["jobs", "auto", "always"]
    """Sidecars as restartable init containers: `jobs` where pods end by themselves, `auto` wherever the cluster can, or
    `always`.
    """
    observe_dns: bool
    """Grant NET_RAW so that DNS answers are observed for names of addresses."""
    extra_roots: str
    """ConfigMap in the installation's namespace with PEM certificates, under any keys, of authorities that servers of
    yours chain to and the public roots lack. Sidecars verify upstream servers by them, applications find them in the
    trust that they get.
    """

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Sidecar:
        """Name the parts of a checked tree."""
        return cls(
            resources=tree["resources"],
            ignore_src_hosts=tree["ignore_src_hosts"],
            ignore_src_ips=tree["ignore_src_ips"],
            ignore_dst_hosts=tree["ignore_dst_hosts"],
            ignore_dst_ips=tree["ignore_dst_ips"],
            insert_init_first=tree["insert_init_first"],
            tls_out=tree["tls_out"],
            reinitialize_iptables=tree["reinitialize_iptables"],
            proxy_type=tree["proxy_type"],
            native_sidecars=tree["nativeSidecars"],
            observe_dns=tree["observeDns"],
            extra_roots=tree["extraRoots"],
        )


@dataclass(frozen=True, slots=True)
class Persistence:
    """A volume that survives its pod."""

    enabled: bool
    """A PersistentVolumeClaim. Without it an emptyDir, which survives a restart of the container but not of the pod."""
    size: str
    """Size of the claim, or limit of the emptyDir."""
    storage_class_name: str
    """Class of the claim; empty means the cluster's default."""
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod"]
    """Access mode of the claim."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Persistence:
        """Name the parts of a checked tree."""
        return cls(
            enabled=tree["enabled"],
            size=tree["size"],
            storage_class_name=tree["storageClassName"],
            access_mode=tree["accessMode"],
        )


@dataclass(frozen=True, slots=True)
class Forwarder:
    """The forwarder: filter, redaction, spool, exporters."""

    replicas: int
    """Pods; more than one with persistence is a StatefulSet."""
    resources: Mapping[str, Any]
    """Requests and limits of the forwarder."""
    persistence: Persistence
    """Volume of the spool: what was accepted and not yet exported."""
    exporter_max_lag: str
    """How far one exporter may fall behind before it alone is cut off, counted and visible; 0 means the whole spool."""
    service_account_annotations: Mapping[str, str]
    """Annotations on the forwarder's ServiceAccount alone: a cloud's role, so that exporters need no keys (IRSA on EKS,
    Workload Identity on GKE).
    """
    exporters: Mapping[str, Any]
    """Where traffic goes besides, by name."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Forwarder:
        """Name the parts of a checked tree."""
        return cls(
            replicas=tree["replicas"],
            resources=tree["resources"],
            persistence=Persistence.of(tree["persistence"]),
            exporter_max_lag=tree["exporterMaxLag"],
            service_account_annotations=tree["serviceAccountAnnotations"],
            exporters=tree["exporters"],
        )


@dataclass(frozen=True, slots=True)
class Inspector:
    """The inspector."""

    resources: Mapping[str, Any]
    """Requests and limits of the inspector."""
    access_labels: Mapping[str, str]
    """Labels that a caller in the backend must bear; none means no restriction."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Inspector:
        """Name the parts of a checked tree."""
        return cls(
            resources=tree["resources"],
            access_labels=tree["accessLabels"],
        )


@dataclass(frozen=True, slots=True)
class Collector:
    """The collector of a replay."""

    resources: Mapping[str, Any]
    """Requests and limits of the collector."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Collector:
        """Name the parts of a checked tree."""
        return cls(
            resources=tree["resources"],
        )


@dataclass(frozen=True, slots=True)
class ReplayComponentsGenerator:
    """The load generator."""

    resources: Mapping[str, Any]
    """Requests and limits of the generator."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> ReplayComponentsGenerator:
        """Name the parts of a checked tree."""
        return cls(
            resources=tree["resources"],
        )


@dataclass(frozen=True, slots=True)
class ReplayComponentsRedis:
    """Shared state of mocks."""

    resources: Mapping[str, Any]
    """Requests and limits of Redis."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> ReplayComponentsRedis:
        """Name the parts of a checked tree."""
        return cls(
            resources=tree["resources"],
        )


@dataclass(frozen=True, slots=True)
class ReplayComponentsResponder:
    """The mock server."""

    resources: Mapping[str, Any]
    """Requests and limits of the responder."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> ReplayComponentsResponder:
        """Name the parts of a checked tree."""
        return cls(
            resources=tree["resources"],
        )


@dataclass(frozen=True, slots=True)
class ReplayComponents:
    """Components of a replay."""

    generator: ReplayComponentsGenerator
    """The load generator."""
    redis: ReplayComponentsRedis
    """Shared state of mocks."""
    responder: ReplayComponentsResponder
    """The mock server."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> ReplayComponents:
        """Name the parts of a checked tree."""
        return cls(
            generator=ReplayComponentsGenerator.of(tree["generator"]),
            redis=ReplayComponentsRedis.of(tree["redis"]),
            responder=ReplayComponentsResponder.of(tree["responder"]),
        )


@dataclass(frozen=True, slots=True)
class BackendRetention:
    """How long stored traffic is kept."""

    days: int
    """Traffic that was received longer ago (days) is deleted; 0 keeps it."""
    max_size: str
    """Most of it; beyond that the oldest goes. Snapshots and reports need room besides. 0 means no bound."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> BackendRetention:
        """Name the parts of a checked tree."""
        return cls(
            days=tree["days"],
            max_size=tree["maxSize"],
        )


@dataclass(frozen=True, slots=True)
class BackendS3:
    """Object store in the place of local files."""

    bucket: str
    """Bucket; empty means local files."""
    endpoint: str
    """Endpoint, where it is not AWS."""
    region: str
    """Region."""
    credentials_secret: str
    """Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; empty means the pod's own identity."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> BackendS3:
        """Name the parts of a checked tree."""
        return cls(
            bucket=tree["bucket"],
            endpoint=tree["endpoint"],
            region=tree["region"],
            credentials_secret=tree["credentialsSecret"],
        )


@dataclass(frozen=True, slots=True)
class Backend:
    """The self-hosted backend: takes records, makes snapshots, keeps reports, serves the web page."""

    enabled: bool
    """Deploy it in this cluster."""
    resources: Mapping[str, Any]
    """Requests and limits of the backend."""
    persistence: Persistence
    """Volume of the backend's database and files."""
    retention: BackendRetention
    """How long stored traffic is kept."""
    s3: BackendS3
    """Object store in the place of local files."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Backend:
        """Name the parts of a checked tree."""
        return cls(
            enabled=tree["enabled"],
            resources=tree["resources"],
            persistence=Persistence.of(tree["persistence"]),
            retention=BackendRetention.of(tree["retention"]),
            s3=BackendS3.of(tree["s3"]),
        )


@dataclass(frozen=True, slots=True)
class EbpfNettapCapture:
    """The container that loads the eBPF programs."""

    pod_security_context: Mapping[str, Any]
    """Its security context; SYS_ADMIN is added only where `speedctl nettap doctor` shows the need."""
    ring_size: Literal["1Mi", "2Mi", "4Mi", "8Mi", "16Mi", "32Mi", "64Mi", "128Mi", "256Mi", "512Mi"]
    """Ring between the kernel and capture: the largest burst that is kept while the ingest is busy. It counts as the
    container's memory.
    """

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> EbpfNettapCapture:
        """Name the parts of a checked tree."""
        return cls(
            pod_security_context=tree["podSecurityContext"],
            ring_size=tree["ringSize"],
        )


@dataclass(frozen=True, slots=True)
class EbpfNettapIngest:
    """The container that makes records of what was seen."""

    pod_security_context: Mapping[str, Any]
    """Its security context."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> EbpfNettapIngest:
        """Name the parts of a checked tree."""
        return cls(
            pod_security_context=tree["podSecurityContext"],
        )


@dataclass(frozen=True, slots=True)
class EbpfNettap:
    """The DaemonSet."""

    capture: EbpfNettapCapture
    """The container that loads the eBPF programs."""
    ingest: EbpfNettapIngest
    """The container that makes records of what was seen."""
    security_context: Mapping[str, Any]
    """Security context of the pod."""
    resources: Mapping[str, Any]
    """Requests and limits of each container."""
    priority_class_name: str
    """Priority class; nettap must not be the first to go."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> EbpfNettap:
        """Name the parts of a checked tree."""
        return cls(
            capture=EbpfNettapCapture.of(tree["capture"]),
            ingest=EbpfNettapIngest.of(tree["ingest"]),
            security_context=tree["securityContext"],
            resources=tree["resources"],
            priority_class_name=tree["priorityClassName"],
        )


@dataclass(frozen=True, slots=True)
class EbpfConfigurationSystem:
    """Where it finds the node's files."""

    cgroupv2_path: str
    """The cgroup2 mount."""
    procfs_path: str
    """The node's /proc."""
    vmlinux_path: str
    """Type information of the kernel (BTF)."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> EbpfConfigurationSystem:
        """Name the parts of a checked tree."""
        return cls(
            cgroupv2_path=tree["cgroupv2Path"],
            procfs_path=tree["procfsPath"],
            vmlinux_path=tree["vmlinuxPath"],
        )


@dataclass(frozen=True, slots=True)
class EbpfConfigurationLogging:
    """Its logs."""

    level: Literal["debug", "info", "warn", "error"]
    """Log level."""
    format: Literal["json", "text"]
    """Form of a line."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> EbpfConfigurationLogging:
        """Name the parts of a checked tree."""
        return cls(
            level=tree["level"],
            format=tree["format"],
        )


@dataclass(frozen=True, slots=True)
class EbpfConfigurationCapture:
    """What is captured."""

    targets: tuple[Mapping[str, Any], ...]
    """Pods to capture; annotations on workloads add to them. Nothing is captured before it is asked for."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> EbpfConfigurationCapture:
        """Name the parts of a checked tree."""
        return cls(
            targets=tree["targets"],
        )


@dataclass(frozen=True, slots=True)
class EbpfConfigurationDiagnosticsBpfStats:
    """Run time of the programs in the kernel."""

    enabled: bool
    """Let the kernel measure how often and how long each program runs (metrics nettap_bpf_program_*). Every BPF program
    of the node is measured then, at some 20 ns a run, and capture needs SYS_ADMIN in
    ebpf.nettap.capture.podSecurityContext.
    """

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> EbpfConfigurationDiagnosticsBpfStats:
        """Name the parts of a checked tree."""
        return cls(
            enabled=tree["enabled"],
        )


@dataclass(frozen=True, slots=True)
class EbpfConfigurationDiagnostics:
    """What nettap measures of itself; a change starts capture anew."""

    bpf_stats: EbpfConfigurationDiagnosticsBpfStats
    """Run time of the programs in the kernel."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> EbpfConfigurationDiagnostics:
        """Name the parts of a checked tree."""
        return cls(
            bpf_stats=EbpfConfigurationDiagnosticsBpfStats.of(tree["bpfStats"]),
        )


@dataclass(frozen=True, slots=True)
class EbpfConfiguration:
    """What nettap reads; live."""

    system: EbpfConfigurationSystem
    """Where it finds the node's files."""
    logging: EbpfConfigurationLogging
    """Its logs."""
    capture: EbpfConfigurationCapture
    """What is captured."""
    diagnostics: EbpfConfigurationDiagnostics
    """What nettap measures of itself; a change starts capture anew."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> EbpfConfiguration:
        """Name the parts of a checked tree."""
        return cls(
            system=EbpfConfigurationSystem.of(tree["system"]),
            logging=EbpfConfigurationLogging.of(tree["logging"]),
            capture=EbpfConfigurationCapture.of(tree["capture"]),
            diagnostics=EbpfConfigurationDiagnostics.of(tree["diagnostics"]),
        )


@dataclass(frozen=True, slots=True)
class Ebpf:
    """Capture by nettap, without a sidecar."""

    enabled: bool
    """Deploy the DaemonSet."""
    nettap: EbpfNettap
    """The DaemonSet."""
    configuration: EbpfConfiguration
    """What nettap reads; live."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Ebpf:
        """Name the parts of a checked tree."""
        return cls(
            enabled=tree["enabled"],
            nettap=EbpfNettap.of(tree["nettap"]),
            configuration=EbpfConfiguration.of(tree["configuration"]),
        )


@dataclass(frozen=True, slots=True)
class NetworkPolicies:
    """NetworkPolicies: each component reaches what it needs and nothing else."""

    enabled: bool
    """Write them."""
    api_server_cidrs: tuple[str, ...]
    """Where the API server is; none means any address, on `apiServerPorts` only."""
    api_server_ports: tuple[int, ...]
    """Ports of the API server."""
    backend_ports: tuple[int, ...]
    """Ports of backend and exporters outside the cluster."""
    metrics_namespaces: tuple[str, ...]
    """Namespaces whose pods may read metrics; none means nobody."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> NetworkPolicies:
        """Name the parts of a checked tree."""
        return cls(
            enabled=tree["enabled"],
            api_server_cidrs=tree["apiServerCidrs"],
            api_server_ports=tree["apiServerPorts"],
            backend_ports=tree["backendPorts"],
            metrics_namespaces=tree["metricsNamespaces"],
        )


@dataclass(frozen=True, slots=True)
class Argocd:
    """For Argo CD."""

    annotations: bool
    """Sync waves and options as annotations; other tools ignore them."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Argocd:
        """Name the parts of a checked tree."""
        return cls(
            annotations=tree["annotations"],
        )


@dataclass(frozen=True, slots=True)
class Values:
    """What a platform engineer sets. Defaults, the typed model, the commented `values.yaml` and editor completion all
    come from this schema.
    """

    profile: Literal["gitops", "operator"]
    """Who owns the managed components. `gitops`: they are in the output and Argo CD or Flux applies them. `operator`:
    the controller creates them out of the bundle.
    """
    preset: Literal["", "gke-autopilot", "openshift", "bottlerocket", "eks", "eks-calico", "eks-fargate"]
    """Settings for a kind of cluster, applied before this file; what stands here wins."""
    namespace: str
    """Namespace of the installation."""
    create_namespace: bool
    """Whether the Namespace is among the manifests."""
    api_key: str
    """Refused: a key never stands in git. Put it in a Secret with the keys SPEEDSCALE_API_KEY and SPEEDSCALE_APP_URL
    and name that in `apiKeySecret`.
    """
    api_key_secret: str
    """Secret with SPEEDSCALE_API_KEY and SPEEDSCALE_APP_URL for the backend; empty means `speedscale-apikey`, which may
    be absent.
    """
    app_url: str
    """Host name of the backend; empty means the one in this installation when `backend.enabled`, else none."""
    app_roots: str
    """ConfigMap in the installation's namespace whose key `ca.crt` has the roots (PEM) that the certificate of `appUrl`
    is verified by, where it is not of a public CA. It may come late and change.
    """
    cluster_name: str
    """Name of the cluster, written into each record."""
    cloud_provider: Literal["", "aws", "gcp", "azure"]
    """Provider whose scheduling rules are written; `aws` keeps nettap off Fargate."""
    image: Image
    """Images of all components."""
    image_tags: Mapping[str, str]
    """Tags by image name, where they differ."""
    image_digests: Mapping[str, str]
    """Digests by image name; a digest wins over a tag."""
    log_level: Literal["debug", "info", "warn", "error"]
    """Log level of all components."""
    namespace_selector: tuple[str, ...]
    """Namespaces that the operator watches, by name; empty means all. With names only Roles are written, no rights over
    the whole cluster's workloads.
    """
    filter_rule: str
    """Filter rule of the forwarder: one that comes with it or one of `rules.filters`."""
    dlp: Dlp
    """Redaction of personal data before anything is stored or leaves."""
    rules: Rules
    """Your own rules, written into a ConfigMap that the forwarder reads live."""
    host_network: bool
    """Run the operator on the node's network, where the API server cannot reach pods (EKS with Calico)."""
    global_annotations: Mapping[str, str]
    """Annotations on our workloads, pods, Services, ConfigMaps, ServiceAccounts and rights."""
    webhook_annotations: Mapping[str, str]
    """Annotations on the webhook configurations."""
    create_tls_certs: bool
    """Whether the controller makes and renews `speedscale-webhook-certs` and `speedscale-certs`. Off: they exist
    before, see `certificates`.
    """
    certificates: Certificates
    """Where certificates come from."""
    global_labels: Mapping[str, str]
    """Labels on our workloads and their pods."""
    global_pod_security_context: Mapping[str, Any]
    """Security context of our containers (the name is the chart's). `null` takes a default away."""
    global_security_context: Mapping[str, Any]
    """Security context of our pods (the name is the chart's). `null` takes a default away."""
    affinity: Mapping[str, Any]
    """Affinity of our pods, in the form of Kubernetes."""
    tolerations: tuple[Mapping[str, Any], ...]
    """Tolerations of our pods, in the form of Kubernetes."""
    node_selector: Mapping[str, str]
    """Node labels that our pods need."""
    priority_class_name: str
    """Priority class of our pods."""
    deploy_demo: Literal["java", ""]
    """Demo application to deploy; empty means none."""
    demo: Demo
    """The demo application."""
    http_proxy: str
    """Proxy for outbound HTTP, as HTTP_PROXY."""
    https_proxy: str
    """Proxy for outbound HTTPS, as HTTPS_PROXY."""
    no_proxy: str
    """Hosts and networks that are reached without a proxy, as NO_PROXY."""
    privileged_sidecars: bool
    """Run the sidecar's init container privileged, where NET_ADMIN alone is refused."""
    create_jks: bool
    """Make a Java trust store (`speedscale-jks`) where it is asked for."""
    pre_install: PreInstall
    """A Job before the rest (PreSync in Argo CD, pre-install in Helm) that checks the key and the way to the
    backend.
    """
    disable_sidecar_smart_reverse_dns: bool
    """Turn off names from observed DNS answers in sidecars."""
    operator: Operator
    """The controller and its webhooks."""
    sidecar: Sidecar
    """Defaults of the sidecar; annotations on a workload win."""
    forwarder: Forwarder
    """The forwarder: filter, redaction, spool, exporters."""
    dashboard_access: bool
    """Deploy the inspector, which lets the backend's users see and change this cluster. Off means that no Deployment,
    ServiceAccount or right of it exists.
    """
    secret_access_list: tuple[str, ...]
    """Secrets that replays may mount, by name; empty means only our own. `*` alone means all, in every watched
    namespace.
    """
    inspector: Inspector
    """The inspector."""
    collector: Collector
    """The collector of a replay."""
    replay_components: ReplayComponents
    """Components of a replay."""
    backend: Backend
    """The self-hosted backend: takes records, makes snapshots, keeps reports, serves the web page."""
    ebpf: Ebpf
    """Capture by nettap, without a sidecar."""
    network_policies: NetworkPolicies
    """NetworkPolicies: each component reaches what it needs and nothing else."""
    argocd: Argocd
    """For Argo CD."""

    sources: Mapping[str, str] = field(default_factory=Frozen, compare=False, repr=False)
    """Which layer set a path (`a.b[0].c`): `default`, `preset openshift`, `values.yaml:12`, `--set a.b=c`."""
    warnings: tuple[Warned, ...] = field(default=(), compare=False, repr=False)
    """What is allowed, but probably not meant."""
    frozen: Mapping[str, Any] = field(default_factory=Frozen, repr=False)
    """The merged tree, read-only; `tree()` gives a copy to change."""

    def origin(self, path: tuple[str | int, ...]) -> str:
        """Return which layer set a path, or the nearest one above it."""
        while path and text(path) not in self.sources:
            path = path[:-1]
        return self.sources.get(text(path), "default") if path else "default"

    def tree(self) -> dict[str, Any]:
        """Return the merged, plain form: dicts and lists of the caller's own."""
        copied: dict[str, Any] = plain(self.frozen)
        return copied

    @classmethod
    def of(cls, tree: Mapping[str, Any], sources: Mapping[str, str], warnings: tuple[Warned, ...]) -> Values:
        """Name the parts of a checked tree."""
        return cls(
            profile=tree["profile"],
            preset=tree["preset"],
            namespace=tree["namespace"],
            create_namespace=tree["createNamespace"],
            api_key=tree["apiKey"],
            api_key_secret=tree["apiKeySecret"],
            app_url=tree["appUrl"],
            app_roots=tree["appRoots"],
            cluster_name=tree["clusterName"],
            cloud_provider=tree["cloudProvider"],
            image=Image.of(tree["image"]),
            image_tags=tree["imageTags"],
            image_digests=tree["imageDigests"],
            log_level=tree["logLevel"],
            namespace_selector=tree["namespaceSelector"],
            filter_rule=tree["filterRule"],
            dlp=Dlp.of(tree["dlp"]),
            rules=Rules.of(tree["rules"]),
            host_network=tree["hostNetwork"],
            global_annotations=tree["globalAnnotations"],
            webhook_annotations=tree["webhookAnnotations"],
            create_tls_certs=tree["createTLSCerts"],
            certificates=Certificates.of(tree["certificates"]),
            global_labels=tree["globalLabels"],
            global_pod_security_context=tree["globalPodSecurityContext"],
            global_security_context=tree["globalSecurityContext"],
            affinity=tree["affinity"],
            tolerations=tree["tolerations"],
            node_selector=tree["nodeSelector"],
            priority_class_name=tree["priorityClassName"],
            deploy_demo=tree["deployDemo"],
            demo=Demo.of(tree["demo"]),
            http_proxy=tree["http_proxy"],
            https_proxy=tree["https_proxy"],
            no_proxy=tree["no_proxy"],
            privileged_sidecars=tree["privilegedSidecars"],
            create_jks=tree["createJKS"],
            pre_install=PreInstall.of(tree["preInstall"]),
            disable_sidecar_smart_reverse_dns=tree["disableSidecarSmartReverseDNS"],
            operator=Operator.of(tree["operator"]),
            sidecar=Sidecar.of(tree["sidecar"]),
            forwarder=Forwarder.of(tree["forwarder"]),
            dashboard_access=tree["dashboardAccess"],
            secret_access_list=tree["secretAccessList"],
            inspector=Inspector.of(tree["inspector"]),
            collector=Collector.of(tree["collector"]),
            replay_components=ReplayComponents.of(tree["replayComponents"]),
            backend=Backend.of(tree["backend"]),
            ebpf=Ebpf.of(tree["ebpf"]),
            network_policies=NetworkPolicies.of(tree["networkPolicies"]),
            argocd=Argocd.of(tree["argocd"]),
            sources=sources,
            warnings=warnings,
            frozen=tree,
        )
