# Sourced by gates that count what passed and failed; `$folder` is theirs, and goes with them.
passed=0 failed=0

# check WHAT COMMAND...: runs the command, and shows what it said where it fails.
check() {
  local what=$1
  shift
  if "$@" >"$folder/said" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $what"
    tail -n 20 "$folder/said"
  fi
}
