"""What is the same in every service: how it begins, its logs, its metrics, the files that it watches."""
