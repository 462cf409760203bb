"""`speedscale-cloud`, the self-hosted backend: traffic, snapshots, test configs, rules, replays, reports, clusters.

Run by its image alone; its clients use `speedscale_runtime.cloud`. Optional: files, git and object storage do without.
"""
