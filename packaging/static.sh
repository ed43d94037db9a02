#!/usr/bin/env bash
# Builds one binary that needs nothing of the machine it runs on, and prints its size.
# With the musl target installed (rustup target add x86_64-unknown-linux-musl, and musl-tools for the C parts) it is a musl
# build; else the GNU C library is linked statically.
set -euo pipefail
cd "$(dirname "$0")/.."
if rustup target list --installed 2>/dev/null | grep -q '^x86_64-unknown-linux-musl$'; then
  target=x86_64-unknown-linux-musl
else
  target=x86_64-unknown-linux-gnu
  echo "the musl target is not installed: linking the GNU C library statically"
fi
RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked -p apportion --target "$target"
binary="${CARGO_TARGET_DIR:-target}/$target/release/apportion"
file "$binary" 2>/dev/null || true
if ldd "$binary" 2>/dev/null | grep -q '=>'; then
  echo "not static:" && ldd "$binary" && exit 1
fi
echo "$binary: $(stat -c %s "$binary") bytes"
