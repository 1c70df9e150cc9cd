# imgmill in a container, with docker or buildah:
#   docker build --target run -t imgmill .
# `make docker-run`, `docker-test`, `docker-develop` and `docker-process` call it with what each wants.
#
#   base           the sources, built
#   test           runs the tests
#   develop        the tools alone, for sources that are mounted at /app
#   run            the program and nothing else, for a user who is not root
#   run-delegates  run, with ImageMagick and Ghostscript for what imgmill does not read itself

ARG DEBIAN=docker.io/library/debian:bookworm-slim

# What builds it: a compiler, nasm and Rust, as `make setup` installs them.
FROM ${DEBIAN} AS tools
ENV PATH=/root/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        binutils ca-certificates curl gcc libc6-dev make nasm \
    && rm -rf /var/lib/apt/lists/*
COPY scripts/setup.sh /setup.sh
RUN /setup.sh

FROM tools AS base
WORKDIR /app
COPY . .
# `dist` is small and takes long to build, `release` the other way round.
ARG PROFILE=dist
ARG FEATURES=fleet,lambda,mongodb,parquet
# What cargo builds, with commas for blanks. More than the program is for those who share a cache with such a build.
ARG CARGO_FLAGS=--package,imgmill
# What cargo downloads and builds lies in a cache that outlives the build, so that the next one takes minutes.
ARG CARGO_HOME=/var/cache/imgmill/cargo
ARG CARGO_TARGET_DIR=/var/cache/imgmill/target
RUN --mount=type=cache,target=/var/cache/imgmill \
    cargo build --locked --profile ${PROFILE} --features "${FEATURES}" $(echo "${CARGO_FLAGS}" | tr , ' ') \
    && install -D "${CARGO_TARGET_DIR}/${PROFILE}/imgmill" /out/bin/imgmill \
    && strip /out/bin/imgmill \
    && cd /out/bin && for name in iiif-process iiif-process-ecs iiif-tile-seed; do ln -s imgmill "$name"; done

# Tests are run by running it, so that they are seen and not remembered as a layer. `make docker-test` mounts a cache.
FROM base AS test
ENV CARGO_HOME=/var/cache/imgmill/cargo CARGO_TARGET_DIR=/var/cache/imgmill/target
CMD ["cargo", "test", "--workspace", "--locked"]

FROM tools AS develop
ENV CARGO_HOME=/var/cache/imgmill/cargo CARGO_TARGET_DIR=/var/cache/imgmill/target
WORKDIR /app
CMD ["bash"]

FROM ${DEBIAN} AS run
# Authorities of TLS, from the stage that has them; the program needs nothing else of Debian but its C library.
COPY --from=base /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=base /out/bin/ /bin/
# ~/.aws of whoever starts it is mounted at /root/.aws. So /root is its home, which it may enter, and its user has the
# number that the first user of a machine has: the files there are readable for their owner alone. Others say who they are
# with --user "$(id -u)", as the recipes of the Makefile do.
RUN chmod 755 /root \
    && echo 'imgmill:x:1000:1000::/root:/usr/sbin/nologin' >>/etc/passwd \
    && echo 'imgmill:x:1000:' >>/etc/group \
    && mkdir -m 1777 /inputs /outputs
# go-iiif's configuration. What is named must be there, below this folder; `make docker-process` sees to that.
ARG CONFIG=deploy/docker/config.json
ARG INSTRUCTIONS=deploy/docker/instructions.json
COPY ${CONFIG} /etc/go-iiif/config.json
COPY ${INSTRUCTIONS} /etc/go-iiif/instructions.json
ENV HOME=/root \
    PATH=/usr/local/bin:/usr/bin:/bin
# Without S3_BUCKET or --store, images go to the folder outputs: here /outputs, where a folder of the machine is mounted.
WORKDIR /
USER 1000:1000
CMD ["/bin/imgmill", "--help"]

FROM run AS run-delegates
USER 0
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ghostscript imagemagick \
    && rm -rf /var/lib/apt/lists/* \
    # Debian's ImageMagick may not read PostScript. Here it may, since imgmill shuts it in: no network, no files of others.
    && sed -i '/pattern="\(PS\|PS2\|PS3\|EPS\|XPS\)"/d' /etc/ImageMagick-6/policy.xml
USER 1000:1000
