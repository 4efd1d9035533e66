#!/bin/sh
# Deploys what is new, now: one pass over every auto-deploy, as the CronJob makes it every two minutes.
# Arguments go to `mercurious sync`.
set -eu

command -v mercurious >/dev/null || {
    echo "auto-deploy: the program mercurious is not in PATH: cargo install --path delivery/cli" >&2
    exit 1
}
exec mercurious sync "$@"
