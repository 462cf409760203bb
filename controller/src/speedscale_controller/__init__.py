"""The operator: injects sidecars, runs replays, owns certificates, repairs drift."""
