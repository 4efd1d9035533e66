# The program in an image with nothing else but glibc, certificates and time zones. What makes one machine a home
# (the feature `home`: `up`, `demo`) is left out.
#
#   docker build --tag ghcr.io/team-mercurious/mercurious:0.1.0 .
#
# `mercurious publish` makes an image of the same program with no container engine: docs/install.md.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# Kernels of arm64 have pages of 4, 16 or 64 kB: the allocator must expect the largest.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    if [ "$(uname -m)" = aarch64 ]; then export JEMALLOC_SYS_WITH_LG_PAGE=16; fi \
    && cargo build --profile dist --locked --package mercurious --no-default-features --features lean \
    && install -D target/dist/mercurious /out/mercurious

FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="mercurious" \
      org.opencontainers.image.source="https://github.com/team-mercurious/mercurious" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /out/mercurious /mercurious
USER 65532:65532
ENTRYPOINT ["/mercurious"]
