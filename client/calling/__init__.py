"""How a request reaches a rig that can answer it, from the user's machine.

| module        | what it is                                                               |
|---------------|--------------------------------------------------------------------------|
| `network`     | the Caller: one request over several tries; opens everything below       |
| `run`         | one call's tries so far, and the error when all of them failed           |
| `attempt`     | one request at one rig, up to the first byte of its reply                |
| `body`        | the rest of it: whole events, and an honest end                          |
| `rig_map`     | the tracker's map, kept for some seconds; rigs as they signed themselves |
| `matching`    | which offers fit what is wanted, and what to say when none does. Pure    |
| `picking`     | power of two choices on measured numbers. Pure                           |
| `rig_tokens`  | bound tokens, one for each rig, renewed in time                          |
| `sealing`     | a rig's sealing keys, checked against its id                             |
| `unsealing`   | a sealed answer as the plain one that is inside it                       |
| `sending`     | one request to one rig: deadlines, errors                                |
| `connections` | the pool of connections to rigs                                          |
| `witness`     | what came of a reply: bytes, times, the rig's receipt. Pure              |
| `receipts`    | receipts that are countersigned, on their way to the tracker             |
"""
