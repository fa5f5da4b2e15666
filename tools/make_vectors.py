"""Makes tests/vectors/*.json: what ids, tokens and signed documents must look like, byte for byte.

Run it by hand, `python tools/make_vectors.py`, when the protocol changes on purpose. The tests
compare against the committed files, so a change made by accident shows. All seeds are fixed.
"""

import json
from pathlib import Path

from signed_vectors.descriptors import descriptors
from signed_vectors.endpoint_proof import endpoint_proof
from signed_vectors.handover import handover
from signed_vectors.ids import ids
from signed_vectors.log import log
from signed_vectors.receipts import receipts
from signed_vectors.revocations import revocations
from signed_vectors.tokens import tokens

from luckrig.protocol import jws

OUT = Path(__file__).resolve().parent.parent / "tests" / "vectors"


def main() -> None:
    assert jws.ALGORITHM == "Ed25519"  # noqa: S101 -- the vectors name it
    OUT.mkdir(exist_ok=True)
    vectors = {
        "ids": ids(),
        "tokens": tokens(),
        "descriptors": descriptors(),
        "revocations": revocations(),
        "log": log(),
        "receipts": receipts(),
        "handover": handover(),
        "endpoint_proof": endpoint_proof(),
    }
    for name, made in vectors.items():
        text = json.dumps(made, indent=1, ensure_ascii=True) + "\n"
        (OUT / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"tests/vectors/{name}.json")


if __name__ == "__main__":
    main()
