# `make` shows what there is. CLUSTER=simulated|node|kind|existing chooses the cluster.

urumi = .venv/bin/urumi
compile = .venv/bin/uv pip compile --quiet --generate-hashes --python-version=3.11 --universal

.PHONY: help demo up down clean status ready ready-for-tests test test-fast test-mutations terraform check format lock bench-first-boot

##@ Run it
help: ## show this index
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

demo: ready ## from nothing to a running store, with progress
	@$(urumi) demo

up: ready ## start all parts, or those that do not run
	@$(urumi) up

status: ready ## each part: running or not, address, log, last error
	@$(urumi) status

down: ## stop everything that was started here; data stays
	@if [ -x $(urumi) ]; then $(urumi) down; fi

clean: ## stop everything and remove all local data
	@if [ -x $(urumi) ]; then $(urumi) clean; fi
	@rm -rf .local

##@ Work on it
test: ready-for-tests ## all tests that this machine can run, and what was left out
	@.venv/bin/python -m tests.rings

test-mutations: ready ## seed defects into copies of the code, and see each of them named
	@.venv/bin/python -m tests.rings mutations

test-fast: ready ## the tests that take seconds and need no parts
	@.venv/bin/python -m tests.rings fast

terraform: ready ## the cloud in Terraform: form, types, invariants, policies; no cloud is asked
	@.venv/bin/python -m tests.rings terraform

bench-first-boot: ready ## how long a store's first boot takes, by its steps (root)
	@.venv/bin/python -m bench.first_boot

check: ready ## formatters, linters, types, import contract, shell, YAML, chart
	@dev/check

format: ready ## put the Python files into shape
	@.venv/bin/ruff check --quiet --fix --exit-zero
	@.venv/bin/ruff format

lock: ready ## resolve requirements*.in anew into the locked requirements*.txt
	$(compile) --output-file=requirements.txt requirements.in
	$(compile) --output-file=requirements-dev.txt requirements-dev.in
	@cd dev/terraform && for each in provider schemas checkov; do \
		../../.venv/bin/uv pip compile --quiet --generate-hashes --python-version=3.11 --universal \
			--output-file=requirements-$$each.txt requirements-$$each.in || exit; \
	done

ready: ## install what is missing (the others do it by themselves)
	@dev/bootstrap

ready-for-tests:
	@dev/bootstrap tests
