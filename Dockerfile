# One image for all programs: producer, consumer and retrieval, and local for health checks and the replica set.
#
# Run: built to its end by the classic builder, on stand-ins for both bases; never by BuildKit, for which it is written too.
# Where no image can be pulled: make images-offline, first.

FROM rust:1.95.0-bookworm AS builder
WORKDIR /build
# For the model: provisioning runs the pip of this Python.
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
# The lines of a backtrace are of use where the sources are; without them the programs are a third as large.
ENV CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_STRIP=debuginfo

# Dependencies: built again only when a manifest or the lock file changes.
COPY Cargo.toml Cargo.lock ./
COPY shared/Cargo.toml shared/
COPY source/Cargo.toml source/
COPY producer/Cargo.toml producer/
COPY consumer/Cargo.toml consumer/
COPY retrieval/Cargo.toml retrieval/
COPY local/Cargo.toml local/
COPY tests/Cargo.toml tests/
RUN for crate in shared source producer consumer retrieval local tests; do \
        mkdir -p "$crate/src" && touch "$crate/src/lib.rs"; \
    done \
    && for program in producer consumer retrieval local; do \
        echo 'fn main() {}' > "$program/src/main.rs"; \
    done \
    && cargo build --release --locked --bin local --bin producer --bin consumer --bin retrieval

# Model and ONNX Runtime: fetched again only when the program that provisions them changes.
COPY local local
# What is copied bears the time of its last change, which is before that of the empty programs above.
RUN find local -name '*.rs' -exec touch {} + && cargo build --release --locked --bin local
RUN target/release/local --cache /provisioned provision onnxruntime model \
    && mkdir /llm-twin \
    && mv /provisioned/all-MiniLM-L6-v2-* /llm-twin/model \
    && mv /provisioned/onnxruntime-*/libonnxruntime.so.* /llm-twin/libonnxruntime.so

COPY . .
RUN find shared source producer consumer retrieval -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --bin local --bin producer --bin consumer --bin retrieval

FROM debian:12.12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin twin
COPY --from=builder /llm-twin /opt/llm-twin
COPY --from=builder /build/target/release/producer /build/target/release/consumer \
    /build/target/release/retrieval /build/target/release/local /usr/local/bin/
ENV EMBEDDING_MODEL_DIR=/opt/llm-twin/model ORT_DYLIB_PATH=/opt/llm-twin/libonnxruntime.so
USER 10001:10001
CMD ["producer", "--help"]
