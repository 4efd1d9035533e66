#!/bin/sh
# Replaces all replicas of every workload, one workload after the other, each only when the one before is healthy.
# Arguments go to `mercurious restart --all`.
set -eu

command -v mercurious >/dev/null || {
    echo "force-deploy: the program mercurious is not in PATH: cargo install --path delivery/cli" >&2
    exit 1
}
exec mercurious restart --all "$@"
