"""The engine's own process: the real llama.cpp server, in its parent's life span.

    python -m luckrig.engine.server --model PATH --alias tiny --slots 2 --context 4096

Prints one line of JSON on stdout, `{"url": "http://127.0.0.1:PORT"}`, once the server listens;
everything llama.cpp prints goes to stderr. Lives until stdin reaches EOF. The kernel closes that
pipe however the parent ends, kill -9 included, so an engine never outlives the rig it serves.
SIGTERM ends it at once, too. SIGINT is ignored: Ctrl-C belongs to the parent, which closes stdin.

Exit codes: 0 stdin closed, 1 the server did not start, 2 bad arguments, 3 xllamacpp is not
installed, 4 the model's context is shorter than --context. One line on stderr says why.
"""

import argparse
import http.client
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

EXIT_NOT_STARTED = 1
EXIT_NOT_INSTALLED = 3
EXIT_SHORT_CONTEXT = 4

HOST = "127.0.0.1"
PROPS_TIMEOUT_SECONDS = 5.0  # the server has just said that it listens
LOG_WARNINGS = 2  # llama.cpp's level 3 writes six lines for each request


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until stdin closes. Returns an exit code only when it did not start."""
    options = parse_options(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    announcements = claim_stdout()
    # xllamacpp keeps the GIL while it loads a model, so an end in that time is noticed after it.
    watcher = threading.Thread(target=exit_at_end_of_stdin, name="stdin", daemon=True)
    watcher.start()
    try:
        # Ships no types. Loaded here so that --help and the errors above work without it.
        xllamacpp: Any = importlib.import_module("xllamacpp")
    except ModuleNotFoundError:
        return fail(
            EXIT_NOT_INSTALLED, "llama.cpp is not installed: run pip install 'luckrig[engine]'"
        )
    try:
        server = xllamacpp.Server(server_params(xllamacpp, options))
    except RuntimeError as error:
        return fail(EXIT_NOT_STARTED, f"cannot start llama.cpp with {options.model}: {error}")
    context = slot_context(server.listening_address)
    if context < options.context:
        return fail(
            EXIT_SHORT_CONTEXT,
            f"the model has a context of {context} tokens, less than --context {options.context}",
        )
    announce(announcements, server.listening_address)
    watcher.join()
    return 0


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; prints its own errors and exits with 2."""
    parser = argparse.ArgumentParser(prog="luckrig.engine.server")
    parser.add_argument("--model", required=True, help="path of the GGUF file")
    parser.add_argument("--alias", required=True, help="the model's name in the API")
    parser.add_argument("--slots", type=int, default=1, help="requests answered at once")
    parser.add_argument("--context", type=int, default=4096, help="tokens in each slot")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads that compute")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--embedding", action="store_true", help="serve /v1/embeddings as well")
    return parser.parse_args(arguments)


# The module and everything it makes is Any.
def server_params(xllamacpp: Any, options: argparse.Namespace) -> Any:
    """llama.cpp's settings for these options."""
    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {options.alias}
    params.hostnames = [HOST]
    params.port = options.port
    params.n_parallel = options.slots
    params.n_ctx = options.context * options.slots  # llama.cpp divides it among the slots
    # Many threads that spin while they wait are 40 times slower on a busy machine than one that
    # doesn't (tiny.gguf, 2 cores, load 4: 24 against 1084 tokens per second).
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.cpuparams.poll = 0
    params.endpoint_slots = True
    params.endpoint_metrics = True
    params.endpoint_props = True
    params.ui = False
    params.cache_ram_mib = 0  # finished prompts are not kept aside in memory
    params.cache_idle_slots = False  # needs that cache
    params.verbosity = LOG_WARNINGS
    # No web page may read from the engine: browsers only ever talk to the node proxy. "null"
    # would let in every sandboxed frame, so this names a host that cannot exist (RFC 6761).
    params.cors_origins = "https://nobody.invalid"
    params.cors_origins_explicit = True
    params.cors_credentials = False
    if options.embedding:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return params


def claim_stdout() -> int:
    """Point stdout at stderr, and return the real one: only the announcement goes there."""
    real_stdout = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return real_stdout


def announce(stdout: int, url: str) -> None:
    """Write the one line the parent waits for, and close the pipe."""
    with os.fdopen(stdout, "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps({"url": url}) + "\n")


def exit_at_end_of_stdin() -> None:
    """Wait until the parent closes the pipe or is gone, then end without any further step."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)


def slot_context(url: str) -> int:
    """The context of one slot in tokens. llama.cpp caps it silently at what the model allows."""
    connection = http.client.HTTPConnection(
        url.removeprefix("http://"), timeout=PROPS_TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", "/props")
        props = json.load(connection.getresponse())
    finally:
        connection.close()
    return int(props["default_generation_settings"]["n_ctx"])


def fail(exit_code: int, reason: str) -> int:
    """Say why on stderr."""
    sys.stderr.write(f"luckrig engine: {reason}\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
