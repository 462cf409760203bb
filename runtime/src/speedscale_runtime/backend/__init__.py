"""The self-hosted backend speedscale-cloud: traffic, snapshots, rules, reports and clusters over one API."""
