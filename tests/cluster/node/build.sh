#!/bin/sh
# Builds the parts of a cluster from Go modules, once for each state of this directory, into the user's cache,
# and prints the directory that holds them. The first time takes 8 to 15 minutes of two cores and 2.3 GB of memory.
set -eu
cd "$(dirname "$0")"

version=$(sed -n 's|^\tk8s.io/kubernetes ||p' go.mod)
key=$(cat build.sh go.mod go.sum main.go pause/main.go | sha256sum | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mercurious/cluster
built=$cache/$version-$key

if [ ! -e "$built" ]; then
    command -v go >/dev/null || { echo "go is not installed: it builds the cluster's node" >&2; exit 1; }
    mkdir -p "$cache"
    # Whoever comes second waits, and finds it built.
    exec 9>"$cache/lock"
    flock 9
    if [ ! -e "$built" ]; then
        flags="-s -w"
        minor=${version#v1.}
        for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
            flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
            flags="$flags -X $package.gitTreeState=clean -X $package.buildDate=2026-01-01T00:00:00Z"
        done
        partial=$cache/partial
        rm -rf "$partial"
        mkdir "$partial"
        export CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false"
        nice go build -trimpath -ldflags "$flags" -o "$partial/pause" ./pause >&2
        nice go build -trimpath -ldflags "$flags" -o "$partial/node" . >&2
        mv "$partial" "$built"
    fi
fi
echo "$built"
