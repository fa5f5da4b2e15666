"""The sidecar: OpenAI's API on this machine alone, answered by whichever rig fits.

| module     | what it is                                                              |
|------------|-------------------------------------------------------------------------|
| `guard`    | who may ask: programs of this machine with the local key, no web pages  |
| `asgi`     | bodies in, errors out, and what our server adds to ASGI                 |
| `reading`  | a request's body as something to ask a rig                              |
| `models`   | what the network offers, as OpenAI lists models                         |
| `passing`  | one reply on its way back, as it comes                                  |
| `finished` | what became of a request: for the terminal, and for its replay          |
| `exchange` | one request, which ends when its client leaves                          |
| `app`      | routes, and all of that together                                        |

What picks rigs, gets tokens, seals and fails over stands in `client/calls.py` and beside it.
"""
