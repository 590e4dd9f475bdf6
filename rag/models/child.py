"""The child process that runs llama.cpp. An abort inside the library ends this process and no other.

Protocol: the parent writes one JSON line (model, key, sizes) to standard input, this process answers with one JSON
line (the address, or an error) on standard output, and serves until standard input closes. A parent that dies in
whatever way closes it, so no server is ever left behind.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    request = json.loads(sys.stdin.readline())
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = request["model"]
    params.model_alias = {request["alias"]}
    params.n_parallel = request["parallel"]
    params.n_ctx = request["parallel"] * request["context_tokens"]
    params.slot_save_path = request["slots"]
    params.cpuparams.n_threads = request["threads"]
    params.cpuparams_batch.n_threads = request["threads"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [request["api_key"]]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = True
    params.cache_ram_mib = 0  # the prefix is restored from a file; copies of old prompts cost memory
    params.verbosity = 0
    try:
        server = xllamacpp.Server(params)
    except Exception as error:
        print(json.dumps({"error": str(error) or type(error).__name__}), flush=True)
        os._exit(1)
    print(json.dumps({"address": server.listening_address}), flush=True)
    sys.stdin.read()
    os._exit(0)  # the library's own shutdown waits for open streams


if __name__ == "__main__":
    main()
