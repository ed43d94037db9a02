#!/usr/bin/env bash
# What the README says works: its first command, its configuration, its commands, its links; and README.zh.md says the same.
set -uo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
. tests/check.sh
export APPORTION_STORE="$folder/apportion.db"
trap 'kill %1 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT

# The lines of the fenced blocks of one language.
fenced() { awk -v fence="^ *\`\`\`$2\$" '$0 ~ fence {on = 1; next} /^ *```/ {on = 0} on' "$1"; }

binary="${CARGO_TARGET_DIR:-target}/release/apportion"
mapfile -t commands < <(fenced README.md sh)
[ "${#commands[@]}" -eq 2 ] || { echo "FAILED: the README gives ${#commands[@]} commands, not two"; exit 1; }
check "the second command is this test" test "${commands[1]}" = scripts/test

# The first command, as it stands; the build may take its time, the page may not.
check "the first command builds" cargo build --release --locked --quiet -p apportion
bash -c "exec ${commands[0]}" >"$folder/run.log" 2>&1 &
begin=$(date +%s%N)
page() { curl -fsS --max-time 2 http://127.0.0.1:7070/; }
for _ in $(seq 200); do page >/dev/null 2>&1 && break; sleep 0.1; done
echo "page after $((($(date +%s%N) - begin) / 1000000)) ms (cargo's own start included)"
check "the page is served" grep -q '<title>Apportion' <(page)
allotted() { "$binary" status --json | grep -q '"allotted":[0-9]'; }
for _ in $(seq 60); do allotted && break; sleep 1; done
check "within a minute something would be allotted" allotted
check "nothing was applied" bash -c "! '$binary' history --applied"

fenced README.md toml >"$folder/apportion.toml"
check "the configuration of the README is valid" "$binary" check --config "$folder/apportion.toml"
for command in $(grep -o '`apportion [a-z]*' README.md | cut -d' ' -f2 | sort -u); do
  check "apportion $command --help" "$binary" "$command" --help
done
for link in $(grep -oE '\]\([^)#]+\)' README.md | tr -d '])(' | grep -v '^http'); do
  check "README.md links to $link" test -e "$link"
done
same() { diff <(fenced README.md "$1") <(fenced README.zh.md "$1"); }
check "README.zh.md has the same commands" same sh
check "README.zh.md has the same configuration keys" diff <(fenced README.md toml | cut -d= -f1) <(fenced README.zh.md toml | cut -d= -f1)
check "README.zh.md has the same number of sections" test "$(grep -c '^## ' README.md)" -eq "$(grep -c '^## ' README.zh.md)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
