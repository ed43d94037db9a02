"""llama.cpp on the same file and tokens as gguf.rs, on one thread, in processor time: python3 against_llama_cpp.py FILE [PROMPT_TOKENS [GENERATED]].

Needs the package llama-cpp-python, built without AMX: CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON",
with -DGGML_AVX512=ON -DGGML_AVX512_VBMI=ON -DGGML_AVX512_VNNI=ON -DGGML_AVX512_BF16=ON where the processor has them.
"""
import ctypes, json, resource, statistics, sys, time

import llama_cpp as l

path = sys.argv[1]
prompt = int(sys.argv[2]) if len(sys.argv) > 2 else 128
generated = int(sys.argv[3]) if len(sys.argv) > 3 else 64
begin = time.process_time()
l.llama_backend_init()
quiet = l.llama_log_callback(lambda *_: None)
l.llama_log_set(quiet, ctypes.c_void_p(0))
model = l.llama_model_load_from_file(path.encode(), l.llama_model_default_params())
load_s = time.process_time() - begin
size = l.llama_vocab_n_tokens(l.llama_model_get_vocab(model))
tokens = [1000 + k * 37 % 20000 for k in range(prompt)]
reading, writing = [], []


def read(context, tokens):
    array = (l.llama_token * len(tokens))(*tokens)
    assert l.llama_decode(context, l.llama_batch_get_one(array, len(tokens))) == 0
    logits = l.llama_get_logits_ith(context, -1)
    import numpy

    return int(numpy.ctypeslib.as_array(logits, shape=(size,)).argmax())


for _ in range(5):
    parameters = l.llama_context_default_params()
    parameters.n_ctx, parameters.n_batch, parameters.n_threads, parameters.n_threads_batch = 2048, 512, 1, 1
    context = l.llama_init_from_model(model, parameters)
    read(context, tokens[:1])
    l.llama_memory_clear(l.llama_get_memory(context), True)
    begin = time.process_time()
    token = read(context, tokens)
    reading.append(prompt / (time.process_time() - begin))
    begin = time.process_time()
    for _ in range(generated):
        token = read(context, [token])
    writing.append(generated / (time.process_time() - begin))
    l.llama_free(context)
print(json.dumps({
    "by": "llama.cpp", "load_s": round(load_s, 2), "prompt_tokens_per_s": round(statistics.median(reading), 1),
    "generated_tokens_per_s": round(statistics.median(writing), 1),
    "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    "system": l.llama_print_system_info().decode(),
}))
