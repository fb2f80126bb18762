# SPDX-License-Identifier: Apache-2.0
#
# The distribution's packages: which are installed, how to install more, and how to unpack others without installing them.
# .ci/setup and .ci/setup-tests read it.
export DEBIAN_FRONTEND=noninteractive

deps=/usr/local/lib/sallyport-deps # SALLYPORT_DEPS in CMakeLists.txt
native=$(dpkg --print-architecture)

# shellcheck source=/dev/null
. /etc/os-release
keyring=/usr/share/keyrings/$ID-archive-keyring.gpg
components=main
[ "$ID" != ubuntu ] || components="main universe"

die()
{
    echo "setup: $*" >&2
    exit 1
}

must_be_root()
{
    [ "$(id -u)" = 0 ] || die "run as root; missing: $*"
}

# The installed version, of this machine's own architecture: a cross-building machine has others beside it.
version_of()
{
    dpkg-query -W -f '${Architecture} ${db:Status-Status} ${Version}\n' "$1" 2>/dev/null |
        awk -v native="$native" '($1 == native || $1 == "all") && $2 == "installed" { print $3 }'
}

installed()
{
    [ -n "$(version_of "$1")" ]
}

at_least()
{
    installed "$1" && dpkg --compare-versions "$(version_of "$1")" ge "$2"
}

# The mirror that this machine gets the given suite from.
mirror_of()
{
    apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v suite="$1" '$1 == suite && $2 == "main" { print $3; exit }'
}

# Packages that bring a service start it when they are installed; not here.
install_packages()
{
    local policy=/usr/sbin/policy-rc.d service new=()
    for service in nginx haproxy; do
        [ -e /etc/init.d/$service ] || new+=($service)
    done
    if [ ! -e $policy ]; then
        trap "rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
    fi
    apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$@"
    if command -v systemctl >/dev/null; then
        for service in "${new[@]}"; do
            systemctl disable --quiet $service 2>/dev/null || true # nor at the next boot
        done
    fi
}

updated=no

# add <package>...: installs those of them that aren't there.
add()
{
    local package missing=()
    for package; do
        installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    must_be_root "${missing[@]}"
    [ $updated = yes ] || apt-get update -qq
    updated=yes
    install_packages --no-remove "${missing[@]}"
}

# apt_in <scratch> <architecture> <suite>...: makes `apt` an apt-get that knows these suites and nothing else, and leaves
# the machine's own settings alone. Another release is on the mirror of this one.
apt_in()
{
    local scratch=$1 architecture=$2 suite mirror
    shift 2
    mkdir -p "$scratch"/lists/partial
    for suite; do
        mirror=$(mirror_of "$suite")
        if [ -z "$mirror" ]; then
            case $suite in *-*) continue ;; esac # updates and the like, where this machine takes none
            mirror=$(mirror_of "$VERSION_CODENAME")
        fi
        [ -n "$mirror" ] || die "no apt source for $suite"
        echo "deb [arch=$architecture signed-by=$keyring] $mirror $suite $components"
    done >"$scratch"/sources.list
    apt=(apt-get -qq -o Dir::Etc::SourceList="$scratch"/sources.list -o Dir::Etc::SourceParts=/dev/null
        -o Dir::State::Lists="$scratch"/lists -o Dir::State::status=/dev/null -o Dir::Cache::pkgcache=
        -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root -o Acquire::Languages=none
        -o APT::Architecture="$architecture" -o APT::Architectures::="$architecture")
    "${apt[@]}" -o APT::Update::Error-Mode=any update
}

# unpack_in <scratch> <architecture> "<suite>..." <package>...: the packages below <scratch>/unpacked. Stops at the first
# failure by itself: `set -e` isn't in force where a caller asks "did it work?".
unpack_in()
{
    local scratch=$1 architecture=$2 suites=$3 package
    shift 3
    mkdir -p "$scratch"/unpacked/usr/lib
    # shellcheck disable=SC2086
    apt_in "$scratch" "$architecture" $suites && (cd "$scratch" && "${apt[@]}" download "$@") || return 1
    for package in "$scratch"/*.deb; do
        dpkg-deb -x "$package" "$scratch"/unpacked || return 1
    done
    if [ -d "$scratch"/unpacked/lib ]; then # as on a machine whose /lib is a link
        cp -a "$scratch"/unpacked/lib/. "$scratch"/unpacked/usr/lib && rm -rf "$scratch"/unpacked/lib || return 1
    fi
}

# keep <scratch> <unpacked> <directory> <what>: puts what was unpacked or built in its place, and notes what it is.
keep()
{
    echo "$4" >"$2"/.packages
    chmod 755 "$2"
    rm -rf "$3"
    mkdir -p "${3%/*}"
    mv "$2" "$3"
    rm -rf "$1"
}

# kept <directory> <what>: has it been put there before?
kept()
{
    [ "$(cat "$1"/.packages 2>/dev/null)" = "$2" ]
}

# fetch <directory> <architecture> "<suite>..." <package>...: unpacks the packages there, without what they depend on,
# unless the same ones were before. A package may name its suite: package/suite.
fetch()
{
    local directory=$1 scratch wanted="${*:2}"
    ! kept "$directory" "$wanted" || return 0
    must_be_root "${@:4}"
    scratch=$(mktemp -d)
    unpack_in "$scratch" "${@:2}" || { rm -rf "$scratch"; return 1; }
    keep "$scratch" "$scratch"/unpacked "$directory" "$wanted"
}

# A server of `make gateways`, and an image of `make cluster`.
caddy=github.com/caddyserver/caddy/v2@v2.10.0
caddy_hash=h1:fonubSaQKF1YANl8TXqGcn4IbIRUDdfAkpcsfI/vX5U=

# In these two the Go is tier conf's (.ci/setup-tests). Its cache is the user's, so that what one build made of the standard library
# the next one finds.
go_in()
{
    local scratch=$1
    shift
    GOROOT=$deps/conf/usr/lib/go-1.24 GOPATH=$scratch/go GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 \
        GOCACHE="${GOCACHE:-${HOME:-/root}/.cache/go-build}" $deps/conf/usr/lib/go-1.24/bin/go "$@"
}

# go_module <scratch> <module> <hash>: below <scratch>/go/pkg/mod.
go_module()
{
    GOFLAGS=-modcacherw go_in "$1" mod download -json "$2" >"$1"/module || return 1
    grep -qF "\"Sum\": \"$3\"" "$1"/module || die "$2 has another hash than $3"
}

# go_build <scratch> <module> <argument of go build>...: programs of a module that is there, with what its own go.sum pins, to
# <scratch>/bin.
go_build()
{
    local scratch=$1 module=$2
    shift 2
    (cd "$scratch/go/pkg/mod/$module" &&
        GOFLAGS='-mod=readonly -modcacherw' go_in "$scratch" build -p 2 -trimpath -ldflags '-s -w' -o "$scratch"/bin/ "$@")
}

# from_proxy <directory> <module> <hash> <function>: a Go module, pinned, out of which the function, told <scratch> and <module>, puts
# into <scratch>/bin what is kept, unless the same was before. False, after what Go said, where it can't be had.
from_proxy()
{
    local directory=$1 module=$2 hash=$3 function=$4 scratch
    ! kept "$directory" "$module $hash" || return 0
    must_be_root "$module"
    add ca-certificates # for Go, which asks its proxy over TLS
    scratch=$(mktemp -d)
    if go_module "$scratch" "$module" "$hash" && $function "$scratch" "$module"; then
        keep "$scratch" "$scratch"/bin "$directory" "$module $hash"
    else
        cat "$scratch"/module >&2
        rm -rf "$scratch" "$directory"
        return 1
    fi
}
