# Two commands matter: `make demo` and `make test`. Needed: Rust (rustup picks the version of rust-toolchain.toml) and
# Go 1.26 or newer. The only network is the package registries.

.PHONY: bench build demo lint soak static test test-versions

# Ironside at work, on a real control plane with simulated nodes. KEEP=1 leaves it up; APPS=DIR takes your manifests instead of the shop.
# NODE=real: real containers on a real node (Linux and root; see e2e/README.md).
demo:
	@.ci/phases \
	  'build the programs'       'cargo build --workspace --bins' \
	  'build the control plane'  '$${CARGO_TARGET_DIR:-target}/debug/ironside-e2e build' \
	  $(if $(filter real,$(NODE)),'build the real node'      '$${CARGO_TARGET_DIR:-target}/debug/ironside-e2e build-node') \
	  'the demo'                 '$${CARGO_TARGET_DIR:-target}/debug/ironside-e2e demo $(if $(filter real,$(NODE)),--real-node) $(if $(APPS),--apps "$(APPS)") $(if $(KEEP),--keep)'

# The programs of this repository: the operator, the command line, the harness.
build:
	cargo build --workspace --bins

# Every test. The first run also builds the control plane (etcd, kube-apiserver, ...; about five minutes on two cores).
test:
	@.ci/phases \
	  'build the programs'       'cargo build --workspace --bins' \
	  'build the tests'          'cargo test --workspace --no-run' \
	  'build the control plane'  '$${CARGO_TARGET_DIR:-target}/debug/ironside-e2e build' \
	  'build the real node'      '$${CARGO_TARGET_DIR:-target}/debug/ironside-e2e build-node' \
	  'run the tests'            '.ci/tests'

# The core of the loop on each Kubernetes version that is supported: a repair that is verified, one that is rolled back, an approval, the isolation of a
# namespace. TESTS takes other names or parts of names; TESTS= all tests.
TESTS ?= promise_01_ promise_02_an_approval default_deny_with_inferred_allows
VERSIONS ?= 1.34 1.35 1.36 1.37
test-versions: build
	@.ci/phases $(foreach version,$(VERSIONS), 'Kubernetes $(version)' \
	  'IRONSIDE_E2E_EMULATED_VERSION=$(version) cargo test --workspace --test e2e -- $(TESTS)')

# The programs as the container image has them, proven static. A release build: several minutes.
static:
	.ci/static

# What Ironside costs and how fast it answers, beside alternatives measured in the same run: one table. Nothing passes or fails by a time.
# Half an hour on two cores; QUICK=1 is a small world and few repetitions, to see that everything can be measured.
BENCH := $${CARGO_TARGET_DIR:-target}/bench-e2e
bench:
	@.ci/phases \
	  'build the programs'       'cargo build --workspace --profile bench-e2e --bins --bench evaluation' \
	  'build the control plane'  '$(BENCH)/ironside-e2e build' \
	  'measure the engine'       'cargo bench --workspace --profile bench-e2e --bench evaluation > $(BENCH)/engine.tsv' \
	  'measure the operator'     '$(BENCH)/ironside-e2e bench --rows $(BENCH)/engine.tsv $(if $(QUICK),--quick)'

# An operator among random churn, faults and policy edits on 1,000 pods; fails if memory grows, something stays unknown, a drift is not answered or a workload
# is less available. SEED=n makes the choices of an earlier run again.
MINUTES ?= 30
soak:
	@.ci/phases \
	  'build the programs'       'cargo build --workspace --profile bench-e2e --bins' \
	  'build the control plane'  '$(BENCH)/ironside-e2e build' \
	  'the soak'                 '$(BENCH)/ironside-e2e soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))'

# What a change must also pass: the format and the lints.
lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
