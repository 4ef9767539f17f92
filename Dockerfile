# syntax=docker/dockerfile:1
# A static binary on an empty image: nothing to patch but Ironside itself.
FROM docker.io/library/rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY . .
# --target keeps crt-static away from procedural macros, which must stay dynamic.
RUN RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --release --locked --package ironside --bins --target x86_64-unknown-linux-gnu

FROM scratch
COPY --from=build --chmod=0555 /src/target/x86_64-unknown-linux-gnu/release/ironside-operator /ironside-operator
COPY --from=build --chmod=0555 /src/target/x86_64-unknown-linux-gnu/release/ironside /ironside
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/ironside-operator"]
