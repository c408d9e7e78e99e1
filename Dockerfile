# Builds the server from source and serves /data on port 4221. Nothing builds this file but whoever needs
# it: it is not part of the checks.
#
#   docker build --tag http_server .
#   docker run --publish 127.0.0.1:4221:4221 --volume "$PWD/data:/data" http_server
#
# A profile of Docker that knows no openat2(2) (before 20.10) lets it not start.
FROM rust:1.95-slim AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package http_server --bin http_server

FROM debian:stable-slim
COPY --from=build /source/target/release/http_server /usr/local/bin/http_server
# Not root, and whoever the volume belongs to can be said instead: --user "$(id -u):$(id -g)".
RUN mkdir /data && chown 65534:65534 /data
USER 65534:65534
VOLUME /data
EXPOSE 4221
# The first process of a container gets signals only where it handles them, and this one does.
ENTRYPOINT ["/usr/local/bin/http_server", "--bind", "0.0.0.0"]
CMD ["/data"]
