"""Makes tests/vectors/subtext_v1.json: what subtext must produce and refuse, byte for byte.

Run it by hand from the project's folder, `PYTHONPATH=. python tools/make_subtext_vectors.py`, when
the format changes on purpose. All seeds are fixed, requests to X25519 are sealed with a fixed
ephemeral key. The library can't do that for ML-KEM: what is in the file already stays there as
long as it opens. How the file is read stands in docs/PROTOCOL.md, section 21.
"""

import json
from pathlib import Path
from typing import Final

from subtext_vectors.carriers import carriers
from subtext_vectors.codec import codec
from subtext_vectors.given import Part
from subtext_vectors.items import items
from subtext_vectors.replies import replies
from subtext_vectors.requests import requests
from subtext_vectors.sealing import sealing

from luckrig.protocol.subtext.reply import LABEL as REPLY_LABEL
from luckrig.protocol.subtext.request import (
    LABEL,
)

OUT: Final = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "subtext_v1.json"
ABOUT: Final = {
    "all": "…_hex: bytes. now: Unix seconds. code, of a refused one: the error. kem: those of "
    "mlkem768-x25519 may be left out where a platform has no ML-KEM",
    "codec": "text holds frames, in this order; none in a text that isn't ours",
    "sealing": "a rig's signed list -> the keys that are good at now, in its order",
    "requests": "seed: the rig's. payload: key id, encapsulation and ciphertext of plaintext with "
    "info; with the sender's private key ephemeral it comes out like this, byte for byte",
    "items": "what stands in frames -> heads and pieces of the body, in this order. An event that "
    "isn't whole yet is no error; a good vector is whole",
    "replies": "frames, opened in order with secret and encapsulation -> items. refused: so many "
    "frames are opened first, the next one (or the end, if there is none) is refused, and so are "
    "all after it",
    "carriers": "body: a request's. stream, document: a reply's. content: a message's in a request",
}


def frozen() -> dict[str, str]:
    """Name -> payload of the requests that are in the file."""
    if not OUT.exists():
        return {}
    good = json.loads(OUT.read_text("utf-8"))["requests"]["good"]
    return {each["name"]: each["payload_hex"] for each in good}


def main() -> None:
    """Write the file and say how much is in it."""
    parts: dict[str, Part] = {
        "codec": codec(),
        "sealing": sealing(),
        "requests": requests(frozen()),
        "items": items(),
        "replies": replies(),
        "carriers": carriers(),
    }
    labels = {"request": LABEL.decode("ascii"), "reply": REPLY_LABEL.decode("ascii")}
    document = {"version": 1, "about": ABOUT, "labels": labels, **parts}
    OUT.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    counts = [sum(len(part[kind]) for part in parts.values()) for kind in ("good", "refused")]
    print(f"{OUT.name}: {counts[0]} good, {counts[1]} refused")


if __name__ == "__main__":
    main()
