#!/usr/bin/env bash
# Builds the Debian package: binary, systemd unit, man page, completions, example configuration. Makes a release build unless a program
# that was built before is named.
#   packaging/deb.sh [OUTPUT_FOLDER [PROGRAM]]
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-target/deb}")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
arch=$(dpkg --print-architecture)
binary="${2:-${CARGO_TARGET_DIR:-target}/release/apportion}"
[ -n "${2:-}" ] || cargo build --release --locked -p apportion
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

install -Dm755 "$binary" "$root/usr/bin/apportion"
install -Dm644 packaging/apportion.service "$root/lib/systemd/system/apportion.service"
install -Dm644 crates/apportion/src/config/reference.toml "$root/usr/share/doc/apportion/apportion.toml.example"
install -Dm644 LICENSE-MIT "$root/usr/share/doc/apportion/copyright"
install -d "$root/usr/share/man/man1"
"$binary" man | gzip -9n >"$root/usr/share/man/man1/apportion.1.gz"
install -d "$root/usr/share/bash-completion/completions" "$root/usr/share/zsh/vendor-completions" "$root/usr/share/fish/vendor_completions.d"
"$binary" completions bash >"$root/usr/share/bash-completion/completions/apportion"
"$binary" completions zsh >"$root/usr/share/zsh/vendor-completions/_apportion"
"$binary" completions fish >"$root/usr/share/fish/vendor_completions.d/apportion.fish"

# The oldest C library that this build runs with is the one it was built against.
libc=$(dpkg-query -W -f '${Version}' libc6 | cut -d- -f1)
install -d "$root/DEBIAN" "$out"
install -m755 packaging/prerm "$root/DEBIAN/prerm"
cat >"$root/DEBIAN/control" <<CONTROL
Package: apportion
Version: $version
Architecture: $arch
Maintainer: The Apportion authors <maintainers@apportion.invalid>
Installed-Size: $(du -sk "$root" | cut -f1)
Depends: libc6 (>= $libc)
Recommends: nftables, iproute2
Section: admin
Priority: optional
Description: sizes workloads by forecast, within guard rails
 Watches what CPU, memory, storage I/O and network every workload uses, forecasts what each will need, allots that,
 watches what happened and takes back what hurt. After installation nothing runs: systemctl enable --now apportion
 starts it in recommend-only mode.
CONTROL
chmod -R go-w "$root"
dpkg-deb --root-owner-group --build "$root" "$out/apportion_${version}_$arch.deb" >/dev/null
ls -l "$out/apportion_${version}_$arch.deb"
