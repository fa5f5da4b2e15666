"""The tracker: the public map of rigs, their health, and the tokens that open them.

    owner   ── signed descriptor ──► routes ─► service ─► store ─► SQLite
    rigs    ◄── GET /health ──────── service ─► domain.health ─► store
    browser ── filters ────────────► routes ─► service ─► domain.listing ─► one page of rigs
    user    ── proof of a key ─────► routes ─► service ─► store ─► a token for one rig

`domain` holds the rules and does no I/O, `store` remembers, `service` joins the two, `routes` speak
HTTP, `app` wires them. Prompts and replies never come here.
"""
