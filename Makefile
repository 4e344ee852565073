# The thin face over the real build (CMake, scripts/). `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help deps build run test bench fuzz lint asan tsan sim install clean

BUILD := build
SEEDS ?= 2000

help: ## lists this
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
deps: ## installs what the build and the tests need, if it is missing (apt)
	@scripts/deps test
build: ## builds build/lempd, build/lempctl, build/lemp-bench
	@scripts/deps build
	@cmake --preset release >/dev/null
	@cmake --build $(BUILD) --target programs
run: ## builds and starts a server on 127.0.0.1:8025 with its data in ./data
	@scripts/run
test: ## builds and runs every test that needs no special machine
	@scripts/test
bench: build ## measures the server on this machine
	@scripts/bench
fuzz: ## runs each fuzzer for a minute (scripts/fuzz --seconds N for longer)
	@scripts/deps test
	@scripts/fuzz
lint: ## the other compiler's warnings, names that C code should not use
	@scripts/deps test
	@cmake --preset clang >/dev/null
	@cmake --build $(BUILD)/clang
	@scripts/lint
asan: ## units, simulator and system suite under AddressSanitizer and UBSan
	@scripts/deps test
	@scripts/suite asan
tsan: ## the same under ThreadSanitizer
	@scripts/deps test
	@scripts/suite tsan
sim: build ## simulates SEEDS runs (2000)
	@cmake --build $(BUILD) --target lemp-sim
	@$(BUILD)/lemp-sim --seeds $(SEEDS)
install: build ## installs programs, man pages and an example configuration below DESTDIR
	@cmake --install $(BUILD)
clean: ## removes what was built
	@rm -rf $(BUILD)
