# What a developer and CI run. Nothing here needs more than Go, a Go proxy and,
# for the race detector and the tests against a real Redis, Debian's gcc and
# redis-server. 'make help' lists the targets.

GO       ?= go
FUZZTIME ?= 10s
TIMEOUT  ?= 30m
export GO FUZZTIME TIMEOUT

.DEFAULT_GOAL := help
.PHONY: help build demo test test-switch lint bench fuzz cover clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \2/p' $(MAKEFILE_LIST) | awk '{printf "  make %-11s", $$2; $$1 = $$2 = ""; print substr($$0, 2)}'

build: ## build bin/livemon
	@$(GO) build -o bin/livemon ./cmd/livemon

demo: build ## the whole workflow on a simulated switch, in one process
	@./bin/livemon demo

test: ## lint, then the whole test suite with the race detector
	@bash scripts/lint.sh; lint=$$?; bash scripts/test.sh && \
		{ [ $$lint = 0 ] || { echo 'lint failed: see above'; exit $$lint; }; }

test-switch: ## what livemon relies on, asked of a real switch: FS=host:port, FS_PASSWORD=, REPORT=file
	@bash scripts/test-switch.sh

lint: ## formatting, vet, staticcheck, imports, documentation of dependencies
	@bash scripts/lint.sh

bench: ## benchmarks and their ratios; BENCH= selects, BENCHTIME= is the time of each
	@bash scripts/bench.sh

fuzz: ## every fuzz target for FUZZTIME (10s)
	@bash scripts/fuzz.sh

cover: ## coverage by package; coverage.txt for 'go tool cover -html'
	@bash scripts/cover.sh

clean: ## remove what was built
	@rm -rf bin coverage.txt
