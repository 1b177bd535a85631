# Everything a developer needs. `make up` and `make test` are the two that matter.

SHELL := /bin/bash
.DEFAULT_GOAL := help

CARGO ?= cargo
DATA ?= ./reveille-data
DEMO ?=

.PHONY: help up test check console console-check schemas bench fmt dependencies sbom

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

up: console ## Build, and run the whole pipeline on embedded parts (DEMO=1 for a lively scene, DATA=folder)
	@echo "Building Reveille (the first time takes some minutes on two cores)…"
	@$(CARGO) build --release --package reveille
	@exec target/release/reveille up --data "$(DATA)" $(if $(DEMO),--demo)

console: console/dist/index.html ## Build the console's files, which the binary holds

console/dist/index.html: console/package-lock.json $(shell find console/src console/index.html -type f 2>/dev/null)
	@echo "Building the console…"
	@cd console && npm ci --no-audit --no-fund --loglevel=error && npm run build --silent
	@touch console/dist/index.html

test: console console-check ## Everything: formats, lints, unit and contract tests, end to end on real services
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) build --package reveille --package tests
	target/debug/with-kafka $(CARGO) test --workspace --exclude tests
	$(CARGO) test --package tests

console-check: console
	cd console && npm run check --silent && npm test --silent

schemas: ## Write the JSON Schemas and the page of the channels anew from the types
	UPDATE_SCHEMAS=1 $(CARGO) test --package schemas --test contract --test channels

bench: console ## Measure, beside Alertmanager where it is installed (ARGS=--quick)
	$(CARGO) build --release --package reveille --package bench
	target/release/reveille-bench $(ARGS)

fmt: ## Format
	$(CARGO) fmt --all

dependencies: ## Check dependencies for advisories, licences and sources (deny.toml)
	.ci/dependencies

sbom: ## Write what the binary is made of as CycloneDX (target/sbom)
	@command -v cargo-cyclonedx >/dev/null || $(CARGO) install --quiet --locked cargo-cyclonedx
	@mkdir -p target/sbom
	@$(CARGO) cyclonedx --quiet --format json --override-filename sbom.cdx --manifest-path reveille/Cargo.toml
	@mv reveille/sbom.cdx.json target/sbom/reveille.cdx.json && rm -f */sbom.cdx.json
	@cd console && npm sbom --package-lock-only --omit dev --sbom-format cyclonedx >../target/sbom/console.cdx.json
	@ls target/sbom/*.cdx.json
