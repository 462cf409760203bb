"""What runs before the sidecar: packet rules that lead a pod's connections to the proxy, and take them out again."""
