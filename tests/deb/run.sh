#!/usr/bin/env bash
# The Debian package, built from the program that the tests were run with (a release build takes minutes): what is in it, and that each
# part works as it lies there. Nothing is installed.
set -uo pipefail
cd "$(dirname "$0")/../.."
for tool in dpkg-deb strip; do
  command -v "$tool" >/dev/null || { echo "LEFT OUT: the Debian package: $tool is not installed"; exit 0; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
. tests/check.sh

# As `check`, where the tool is there.
check_by() {
  local tool=$1
  if command -v "$tool" >/dev/null; then check "${@:2}"; else echo "LEFT OUT: $2: $tool is not installed"; fi
}

# True where a command says nothing, whatever its status.
is_silent() {
  local said
  said=$("$@" 2>&1)
  echo "$said"
  [ -z "$said" ]
}

cargo build --quiet --locked -p apportion || exit 1
strip -o "$folder/apportion" "${CARGO_TARGET_DIR:-target}/debug/apportion" || exit 1
# Unless told otherwise dpkg-deb packs as small as it can, which takes longer than all else here.
export DPKG_DEB_COMPRESSOR_TYPE=gzip DPKG_DEB_COMPRESSOR_LEVEL=1
check "the package is built" packaging/deb.sh "$folder/out" "$folder/apportion"
package=$(echo "$folder"/out/*.deb)
root=$folder/root
check "the package is unpacked" dpkg-deb --raw-extract "$package" "$root"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
field() { dpkg-deb --field "$package" "$1"; }
check "its version is that of the program" test "$(field Version)" = "$version"
check "its architecture is this one" test "$(field Architecture)" = "$(dpkg --print-architecture)"
check "it names the C library that it needs" grep -Eq '^libc6 \(>= [0-9.]+\)$' <(field Depends)

cat >"$folder/expected" <<'FILES'
/lib/systemd/system/apportion.service -rw-r--r-- root/root
/usr/bin/apportion -rwxr-xr-x root/root
/usr/share/bash-completion/completions/apportion -rw-r--r-- root/root
/usr/share/doc/apportion/apportion.toml.example -rw-r--r-- root/root
/usr/share/doc/apportion/copyright -rw-r--r-- root/root
/usr/share/fish/vendor_completions.d/apportion.fish -rw-r--r-- root/root
/usr/share/man/man1/apportion.1.gz -rw-r--r-- root/root
/usr/share/zsh/vendor-completions/_apportion -rw-r--r-- root/root
FILES
dpkg-deb --contents "$package" | awk '$1 !~ /^d/ {print substr($6, 2), $1, $2}' | LC_ALL=C sort >"$folder/found"
check "it holds these files, each root's and nobody else's to write" diff "$folder/expected" "$folder/found"
check "no folder of it may be written by others" is_silent find "$root" -type d -perm /022
check "its script before a removal is that of the repository" cmp packaging/prerm "$root/DEBIAN/prerm"
check "and may be run" test -x "$root/DEBIAN/prerm"

program=$root/usr/bin/apportion
check "the program says its version" grep -qF "$version" <("$program" --version)
check "the example configuration is valid" "$program" check --config "$root/usr/share/doc/apportion/apportion.toml.example"
# The unit as it is, but for where the program lies.
sed "s|^ExecStart=/usr/bin/|ExecStart=$root/usr/bin/|" "$root/lib/systemd/system/apportion.service" >"$folder/apportion.service"
check_by systemd-analyze "systemd takes the unit without a word" is_silent systemd-analyze verify --man=no "$folder/apportion.service"

page=$root/usr/share/man/man1/apportion.1.gz
check "the man page names every command" bash -c "
  for command in \$('$program' --help | sed -n 's/^  \([a-z-]*\)  .*/\1/p'); do
    zcat '$page' | grep -q \"apportion\\\\\\\\-\$command\\|apportion \$command\\|\\\\\\\\fB\$command\" || { echo \"\$command\"; exit 1; }
  done"
check_by groff "the man page is set without a warning" is_silent bash -c "zcat '$page' | groff -man -Tutf8 -ww -z"
check "bash completes" bash -c ". '$root/usr/share/bash-completion/completions/apportion' && complete -p apportion"
check_by zsh "zsh reads its completions" zsh -n "$root/usr/share/zsh/vendor-completions/_apportion"
check_by fish "fish reads its completions" fish --no-execute "$root/usr/share/fish/vendor_completions.d/apportion.fish"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
