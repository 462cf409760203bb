"""What users ask of a cluster, as pure decisions: whose workload it is, which annotations change, which replay is made.

Asked in two ways that must mean the same: `speedctl infra` with a kubeconfig, and the inspector on behalf of the
backend. No client, no I/O; objects come in and changes go out.
"""
