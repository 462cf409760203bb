# One task runner; CI calls only its targets. `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin/python
TIERS ?= default

.PHONY: help setup demo test lint gen gen-check lock tools bench bench-kills bench-dlp bench-nettap clean
.PHONY: synth
.PHONY: cluster-tools cluster-up cluster-down cluster-demo
.PHONY: images

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup: ## virtual environment with everything that is pinned (done by the other targets)
	@$(PYTHON) scripts/setup.py

demo: setup ## synthesise and validate the installation; record, redact, mock and replay a small shop
	@$(RUN) scripts/installation.py
	@$(RUN) -m speedscale_runtime.demo

synth: setup ## values → dist/, by the pinned cdk8s command line (speedctl synth does the same, faster)
	@$(RUN) scripts/synth.py

test: setup ## lint and test what this machine can; TIERS=unit, TIERS=all or a list
	@$(RUN) scripts/tiers.py $(TIERS)

lint: setup ## ruff, mypy, import-linter
	@$(RUN) scripts/tiers.py lint

gen: setup ## write what is generated
	@$(RUN) scripts/gen.py

gen-check: setup ## fail when what is generated is stale
	@$(RUN) scripts/gen.py --check

lock: setup ## resolve dependencies anew into requirements.lock
	@$(RUN) scripts/lock.py

tools: ## programs that some test tiers need (Debian packages)
	@$(PYTHON) scripts/tools.py $(if $(NODE),--node) $(if $(KERNEL),--kernel)

cluster-tools: ## build what the cluster tests run (Kubernetes, etcd, kustomize, helm, Argo CD) into ~/.cache
	@$(PYTHON) scripts/go_tools.py $(PROGRAMS)

cluster-up: setup ## a real control plane on this machine; prints export KUBECONFIG=…; NODE=1: with pods (root)
	@$(RUN) scripts/cluster.py up $(if $(NODE),--node)

cluster-demo: setup ## the whole story in a real cluster with pods, step by step; leaves it up (root)
	@$(RUN) scripts/cluster_demo.py

cluster-down: setup ## stop it and forget what it held
	@$(RUN) scripts/cluster.py down

images: setup ## build the images into OCI archives, no registry needed; IMAGES="goproxy redis" OUT=folder ARCH=arm64
	@PYTHONPATH=runtime/images $(RUN) -m speedscale_images $(if $(OUT),--out $(OUT)) $(if $(ARCH),--arch $(ARCH)) $(IMAGES)

bench: setup ## ours beside its peers, as ratios
	@$(RUN) -m bench

bench-kills: setup ## the forwarder killed 200 times under load, with every exporter; counts what arrived
	@$(RUN) -m bench.forwarder_kills

bench-dlp: setup ## what redaction finds and lets out, beside Presidio, detect-secrets, gitleaks; writes docs/redaction-scores.md
	@$(RUN) -m bench.dlp.scores

bench-nettap: setup ## what nettap costs calls, memory and processors (root); WRITE=1: into docs/performance.md
	@$(RUN) -m bench.nettap $(if $(WRITE),--write)

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) node_modules .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
