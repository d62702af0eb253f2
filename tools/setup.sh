#!/usr/bin/env bash
# Installs what a build and a full test run need, on Debian 12, as root or with sudo. Idempotent: a second run takes a second.
# Packages come from the system's own apt sources; parts that Debian 12 lacks land in third_party/, pinned and hash-checked.
set -euo pipefail
cd "$(dirname "$0")/.."

PACKAGES=(
  g++ cmake ninja-build ccache mold pkg-config git ca-certificates python3 make
  nlohmann-json3-dev libyaml-cpp-dev libfmt-dev libcli11-dev libxxhash-dev
  libsqlite3-dev liblmdb-dev libzstd-dev libsnappy-dev liblz4-dev libssl-dev openssl
  libgtest-dev libgmock-dev
  redis-server clang-14 libclang-rt-14-dev clang-format-19 clang-tidy-19 wrk curl procps
)
DUCKDB_NPM=1.5.5-r.5
DUCKDB_CRATE=1.10505.0
BOOST_DEB=1.88.0-1
SIMDJSON_DEB=3.12.3-1
NANOARROW_DEB=0.6.0-1
DUCKDB_LIB_SHA=fc23f12e376c47be520f75221288281906e7942e8fd6f6ce4849198ba60d0405
DUCKDB_CRATE_SHA=6cb514dab5e271e849235c1cb98bd65a2ae107fbd619a6740219319c54a71d95
SIMDJSON_SHA=daaf96ff55f5b35935988e4d04296ff1c530d4602279c45cdfe75f52f88d3fca
NANOARROW_SHA=cb5815b478d749dd27d3a3d90b1d174e713137c5bb960d284d9fb8c376334d71
BOOST_SHA=4f9599afe8039a130320325e6bcb41b135f3c607ab678c643ae1ef29f411cada
THIRD_PARTY=$PWD/third_party

say() { printf 'setup: %s\n' "$*" >&2; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
check_sha() { echo "$1  $2" | sha256sum -c --quiet; }

install_packages() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "installing ${missing[*]}"
  as_root apt-get -qq update
  # The tests start their own servers, so no service may be started by the installation.
  as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

fetch_duckdb_library() {
  local work=$1
  say "fetching the DuckDB library $DUCKDB_NPM"
  # npm's package carries the library; pip's source package carries headers where cargo is absent.
  (cd "$work" && npm pack --silent "@duckdb/node-bindings-linux-x64@$DUCKDB_NPM" >/dev/null &&
    tar xzf "duckdb-node-bindings-linux-x64-$DUCKDB_NPM.tgz" package/libduckdb.so)
  check_sha "$DUCKDB_LIB_SHA" "$work/package/libduckdb.so"
  mkdir -p "$THIRD_PARTY/duckdb/lib"
  mv "$work/package/libduckdb.so" "$THIRD_PARTY/duckdb/lib/"
}

fetch_duckdb_header() {
  local work=$1 header
  say "fetching the DuckDB header"
  if command -v cargo >/dev/null; then
    CARGO_HOME=$work/cargo cargo info -q "libduckdb-sys@$DUCKDB_CRATE" >/dev/null
    local crate
    crate=$(ls "$work"/cargo/registry/cache/*/"libduckdb-sys-$DUCKDB_CRATE.crate")
    check_sha "$DUCKDB_CRATE_SHA" "$crate"
    tar xzf "$crate" -C "$work" "libduckdb-sys-$DUCKDB_CRATE/duckdb.tar.gz"
    tar xzf "$work/libduckdb-sys-$DUCKDB_CRATE/duckdb.tar.gz" -C "$work"
    header=$work/duckdb/src/include/duckdb.h
  else
    install_packages python3-pip
    python3 -m pip download -q --no-deps --no-binary duckdb duckdb==1.5.5 -d "$work/pip"
    tar xzf "$work"/pip/duckdb-1.5.5.tar.gz -C "$work" --wildcards '*/external/duckdb/src/include/duckdb.h'
    header=$(find "$work" -path '*external/duckdb/src/include/duckdb.h' | head -1)
  fi
  mkdir -p "$THIRD_PARTY/duckdb/include"
  cp "$header" "$THIRD_PARTY/duckdb/include/duckdb.h"
}

# A private apt state of trixie: the system's own configuration stays on bookworm, and nothing of trixie is installed.
prepare_trixie() {
  local work=$1 mirror signed
  [ ! -f "$work/apt/apt.conf" ] || return 0
  mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)
  [ -n "$mirror" ] || mirror=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; exit } }' /etc/apt/sources.list)
  signed="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
  mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
  printf '%s\n' "deb $signed $mirror trixie main" "deb-src $signed $mirror trixie main" >"$work/apt/sources.list"
  cat >"$work/apt/apt.conf" <<A
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/apt/lists";
Dir::Cache "$work/apt/cache";
Acquire::Languages "none";
APT::Sandbox::User "$(id -un)";
A
  (cd "$work" && APT_CONFIG=$work/apt/apt.conf apt-get -qq update)
}

# Downloads <package>=<version> of trixie and unpacks its <path> into third_party/<name>.
fetch_from_trixie() {
  local work=$1 name=$2 package=$3 version=$4 sha=$5 deb
  shift 5
  say "fetching $package $version"
  prepare_trixie "$work"
  (cd "$work" && APT_CONFIG=$work/apt/apt.conf apt-get -qq download "$package=$version")
  deb=$(ls "$work/${package}_"*.deb)
  check_sha "$sha" "$deb"
  rm -rf "$THIRD_PARTY/$name.part" "${THIRD_PARTY:?}/$name"
  mkdir -p "$THIRD_PARTY/$name.part"
  dpkg --fsys-tarfile "$deb" | tar x -C "$THIRD_PARTY/$name.part" --strip-components=2 "$@"
  mv "$THIRD_PARTY/$name.part" "$THIRD_PARTY/$name"
}

# nanoarrow is packaged for R only; that package's source has the C library as three files.
fetch_nanoarrow() {
  local work=$1 source
  say "fetching the source of nanoarrow $NANOARROW_DEB"
  prepare_trixie "$work"
  (cd "$work" && APT_CONFIG=$work/apt/apt.conf apt-get -qq source --tar-only "r-cran-nanoarrow=$NANOARROW_DEB")
  source=$(ls "$work"/r-cran-nanoarrow_*.orig.tar.gz)
  check_sha "$NANOARROW_SHA" "$source"
  rm -rf "$THIRD_PARTY/nanoarrow.part" "$THIRD_PARTY/nanoarrow"
  mkdir -p "$THIRD_PARTY/nanoarrow.part"
  tar xzf "$source" -C "$THIRD_PARTY/nanoarrow.part" --strip-components=2 \
    nanoarrow/src/nanoarrow.{c,h} nanoarrow/src/nanoarrow_ipc.{c,h} nanoarrow/src/flatcc.c nanoarrow/src/flatcc
  mv "$THIRD_PARTY/nanoarrow.part" "$THIRD_PARTY/nanoarrow"
}

install_packages "${PACKAGES[@]}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ ! -f "$THIRD_PARTY/duckdb/lib/libduckdb.so" ]; then
  command -v npm >/dev/null || install_packages npm
  fetch_duckdb_library "$work"
fi
[ -f "$THIRD_PARTY/duckdb/include/duckdb.h" ] || fetch_duckdb_header "$work"
[ -d "$THIRD_PARTY/boost/include" ] ||
  fetch_from_trixie "$work" boost libboost1.88-dev "$BOOST_DEB" "$BOOST_SHA" ./usr/include/boost
[ -d "$THIRD_PARTY/simdjson/include" ] ||
  fetch_from_trixie "$work" simdjson libsimdjson-dev "$SIMDJSON_DEB" "$SIMDJSON_SHA" \
    ./usr/include/simdjson.h ./usr/lib/x86_64-linux-gnu/libsimdjson_static.a
[ -f "$THIRD_PARTY/nanoarrow/nanoarrow.c" ] || fetch_nanoarrow "$work"
say "ready"
