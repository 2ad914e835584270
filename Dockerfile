# algo-trader in a small image without root:  docker build -t algo-trader . && docker run --rm algo-trader
#
# The default command is the demo: offline, no account, nothing leaves the container. With PostgreSQL beside it:
# config/compose.yaml. scripts/prove-container builds and checks this file where there is no container engine.

ARG RUST_VERSION=1.95
ARG DEBIAN=bookworm

FROM docker.io/library/rust:${RUST_VERSION}-slim-${DEBIAN} AS build
# The image has gcc for the linker; the bundled C libraries need no more.
WORKDIR /src
# Dependencies first, with stubs in the place of the program: this layer stays until Cargo.toml or Cargo.lock change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && printf '//! A stub.\n' > src/lib.rs \
    && printf '//! A stub.\nfn main() {}\n' > src/main.rs \
    && cargo build --locked --release --bin algo-trader
COPY config config
COPY src src
# The stubs are newer than the sources, which cargo would take for built already.
RUN touch src/main.rs src/lib.rs \
    && cargo build --locked --release --bin algo-trader \
    && strip --strip-debug --strip-unneeded target/release/algo-trader

FROM docker.io/library/debian:${DEBIAN}-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="algo-trader" \
      org.opencontainers.image.description="An automated trading system with a deterministic, lock-free pipeline of pinned threads" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# No certificates: the program has the public authorities built in.
COPY --from=build /src/target/release/algo-trader /usr/local/bin/algo-trader
COPY config /usr/share/algo-trader/config
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/algo-trader/
# Reports, journals and captures go into this user's home. A number, not a name, so that an orchestrator can see that it
# is not root.
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/algo-trader --create-home --shell /usr/sbin/nologin trader
USER 10001:10001
WORKDIR /var/lib/algo-trader
STOPSIGNAL SIGINT
# Whether the program can run in this container at all, with this processor and these limits. It does not ask the
# trader in it how it fares: a trader that fails ends, and its exit status is told.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 CMD ["algo-trader", "doctor", "--json"]
ENTRYPOINT ["algo-trader"]
CMD ["demo"]
