# imgmill: every recipe sets up what it needs. Two to begin with: `make run`, `make test`.

SHELL := /bin/sh
export PATH := $(HOME)/.cargo/bin:$(PATH)
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help run run-bucket run-worker build test test-aws test-pm2 test-deploy test-lambda test-shards test-parquet test-reconcile test-large test-memory test-isolation lint lint-all bench bench-bucket bench-reconcile bench-view bench-worker bench-iiif-process conformance conformance-pyramids test-view fuzz setup install clean

help: ## Show this list.
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-46s %s\n", $$1, $$2}'

run: build ## Build, serve the sample images on loopback, run the main job on them.
	@scripts/run-samples.sh

run-worker: build ## Send the samples to a worker on a folder, and print the postback that comes of each.
	@scripts/run-worker.sh

run-bucket: build ## Bucket to pyramids over folders, with sample images and no account: record, drain, look.
	@scripts/run-bucket.sh

build: setup ## Build the release program: target/release/imgmill.
	cargo build --release --locked $(if $(FEATURES),--features $(FEATURES)) -p imgmill -p imgmill-testing

test: setup ## Run all tests; nothing needs to be started or configured.
	cargo test --workspace --locked

test-aws: setup ## Run the tests against moto, and MongoDB's against SecantusDB (installs both into bench/work).
	scripts/test-aws.sh

test-deploy: ## Synthesize, lint and create the infrastructure without an account; check the manifests (wants Node.js 20).
	scripts/test-deploy.sh

test-pm2: setup-dev ## Start, restart and delete what the pm2 recipes are about, on a pm2 of the test's own.
	$(MAKE) build FEATURES=mongodb
	scripts/test-pm2.py

test-lambda: setup ## Try each handler of the Lambda function under cargo-lambda, against moto (installs both).
	scripts/test-lambda.sh

test-shards: setup ## Eight shards over 5,000 rows, two of which die, against one run.
	TEST_SHARDS_ROWS=5000 cargo test --workspace --locked --test program shards::eight -- --nocapture

test-parquet: setup ## Lists in Parquet, which the default build leaves out.
	cargo test --workspace --locked --features imgmill/parquet --lib -- parquet

test-reconcile: setup ## 20,000 objects with holes, cuts, stale ones and orphans: found, mended, killed midway and resumed.
	TEST_RECONCILE_OBJECTS=20000 cargo test --workspace --locked --test program reconcile::planted -- --nocapture --test-threads 1

test-large: build ## Make a pyramid of a 700-megapixel JPEG, and say what it took.
	scripts/test-large.py

MEMORY ?= 1024
test-memory: build ## Watch the memory of runs over 50 images of 100 megapixels, against a budget of MEMORY=1024 MiB.
	bench/memory.py --memory $(MEMORY)

test-isolation: build ## Compare what threads and derive processes make of every file below FOLDERS.
	conformance/isolation.py $(or $(FOLDERS),fuzz/seeds crates/image/tests/fixtures)

lint: setup ## Check formatting and lints, warnings denied.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

lint-all: lint ## The same with all features, whose SDKs take minutes to build.
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

ROUNDS ?= 3
bench: build ## Measure stages, whole runs, the engine (on SOURCE=file.jpg), pyramids beside other tools (installed).
	cargo bench --locked -p imgmill-image -p imgmill-pipeline --bench derive --bench stages
	cargo build --release --locked -p imgmill-image --example cost
	bench/compare.py --rounds $(ROUNDS) $(if $(SOURCE),--source $(SOURCE))

bench-view: build ## Measure `imgmill view` beside iipimage-server and nginx under wrk (installs those), on pyramids made once.
	bench/view.py --prepare
	bench/view.py --rounds $(ROUNDS)

bench-worker: build ## Measure the queue worker beside image-service's stack (Pillow), and its memory over 5,000 messages.
	bench/worker.py --rounds $(ROUNDS)

bench-bucket: build ## Measure pyramids from a bucket beside the design that imgmill replaces (pyvips, installed), and long lists.
	cargo build --release --locked -p imgmill-testing --features s3
	bench/bucket.py --rounds $(ROUNDS)

bench-reconcile: build ## Measure reconciling a million keys with nothing to do.
	cargo build --release --locked -p imgmill-testing --features s3
	bench/reconcile.py --rounds $(ROUNDS)

bench-iiif-process: build ## Measure iiif-process on go-iiif's example (on SOURCE=file.jpg, else one that is drawn).
	bench/iiif_process.py $(if $(SOURCE),--source $(SOURCE))

conformance: setup ## Compare with libvips and ImageMagick (installs those) on every image of IMAGES=folder.
	cargo build --release --locked -p imgmill-image --example derive
	cargo build --release --locked -p imgmill-testing
	conformance/conformance.py $(IMAGES)

conformance-pyramids: build ## Have libtiff, libvips, an IIIF server and a viewer read what is made (installs those).
	conformance/pyramids/pyramids.py

test-view: build ## Have the IIIF validator, viewers and a browser look at what is shown and described (installs those).
	conformance/view/view.py

TIME ?= 60
fuzz: setup ## Fuzz the recipe grammar and each decoder for TIME=60 seconds (wants a nightly Rust).
	cargo build --release --locked -p imgmill-testing
	SAMPLES=$(abspath $(TARGET))/release/imgmill-samples fuzz/run.sh $(TIME) $(TARGETS)

install: setup ## Install the program into ~/.cargo/bin.
	cargo install --locked --path crates/cli $(if $(FEATURES),--features $(FEATURES))

setup-dev: setup ## The same, and what tests and benches of the queue worker stand on.
	scripts/test-aws.sh --install-only

# In containers: docker, podman or buildah, whichever is there. BUILD_FLAGS are for the build.
.PHONY: bin docker-run docker-test docker-develop docker-process lambda-process test-image

bin: setup ## Build the programs with everything into bin: imgmill, iiif-process, iiif-process-ecs, iiif-tile-seed.
	cargo build --release --locked -p imgmill --features fleet,lambda,mongodb,parquet
	install -d bin && install -m 755 $(TARGET)/release/imgmill bin/imgmill
	for name in iiif-process iiif-process-ecs iiif-tile-seed; do ln -sf imgmill bin/$$name; done

docker-run: ## Run the main job in a container: inputs/input.csv to outputs, ~/.aws and docker_env with it (or ARGS='…').
	ARGS="$(ARGS)" scripts/docker.sh run

docker-test: ## Run all tests in a container.
	scripts/docker.sh test

docker-develop: ## A shell in a container with the tools, and this folder at /app.
	scripts/docker.sh develop

docker-process: ## Bake CONFIG=file and INSTRUCTIONS=file into an image: go-iiif-process-ecs.
	CONFIG="$(CONFIG)" INSTRUCTIONS="$(INSTRUCTIONS)" scripts/docker.sh process

lambda-process: setup ## Build the zip for Lambda: process-task.zip (installs cargo-lambda and zig into bench/work).
	scripts/lambda-process.sh process-task.zip

test-image: ## Build the image with buildah from a base made by debootstrap, and run it (wants root, and an hour when cold).
	scripts/test-image.sh

# image-service's recipes, with its names. What they start keeps the environment that make was called with.
PM2 := scripts/pm2.sh
IMGMILL := $(abspath $(TARGET))/release/imgmill
# The program with MongoDB, under a name that a build without it leaves alone: it is started at 1:00 each night.
COLLECTOR := $(abspath $(TARGET))/release/imgmill-collector

.PHONY: setup-dev collector pm2-image-consumer pm2-restart-image-consumer pm2-delete-image-consumer \
	pm2-script-resize-images-from-channel pm2-script-resize-images-from-episodes \
	pm2-delete-script-resize-images-from-channel pm2-delete-script-resize-images-from-episodes

collector: ## Build target/release/imgmill-collector: the program with MongoDB, for `imgmill collect`.
	$(MAKE) build FEATURES=mongodb
	install -m 755 $(IMGMILL) $(COLLECTOR)

pm2-image-consumer: build ## Start the queue worker under pm2 (installed where missing); QUEUE_URL names the queue.
	$(PM2) start $(IMGMILL) --name image-consumer --interpreter none --kill-timeout 30000 -- worker $(WORKER_FLAGS)

pm2-restart-image-consumer: build ## Restart it, with the environment of now.
	$(PM2) restart image-consumer --update-env

pm2-delete-image-consumer: ## Stop it and forget it.
	$(PM2) delete image-consumer

pm2-script-resize-images-from-channel: collector ## Send messages about new channel images daily at 1:00 (builds with MongoDB).
	ENVIRONMENT=$${ENVIRONMENT:-PRODUCTION} $(PM2) start $(COLLECTOR) --name resize-image-from-channel --interpreter none \
		--no-autorestart --cron '0 1 * * *' -- collect channels $(COLLECT_FLAGS)

pm2-delete-script-resize-images-from-channel: ## No more of that.
	$(PM2) delete resize-image-from-channel

pm2-script-resize-images-from-episodes: collector ## The same for episodes.
	ENVIRONMENT=$${ENVIRONMENT:-PRODUCTION} $(PM2) start $(COLLECTOR) --name resize-image-from-episodes --interpreter none \
		--no-autorestart --cron '0 1 * * *' -- collect episodes $(COLLECT_FLAGS)

pm2-delete-script-resize-images-from-episodes: ## No more of that.
	$(PM2) delete resize-image-from-episodes

setup: ## Install Rust, a C compiler and nasm where they are missing.
	@scripts/setup.sh

clean: ## Remove what was built and made.
	cargo clean
	rm -rf samples bench/work
