"""Vectors of the messages that carry frames."""

from luckrig.protocol.subtext.carrier import MODEL, CarrierWriter, request_body
from luckrig.protocol.subtext.codec import REPLY, REQUEST, frame
from subtext_vectors.given import CHAT, NOW, Part, Vector, frames_json
from subtext_vectors.replies import document_frames, stream_frames
from subtext_vectors.requests import plaintext, sealed_x25519


def carriers() -> Part:
    """The messages that carry frames."""
    frames = stream_frames()
    writer = CarrierWriter("abc", NOW)
    stream = "".join(writer.event(each).decode() for each in frames) + writer.ending().decode()
    document = CarrierWriter("abc", NOW).document(document_frames(b"{}")).decode()
    payload = sealed_x25519(plaintext(CHAT))
    good: list[Vector] = [
        {
            "name": "a request",
            "body": request_body(payload, stream=True, choice=0).decode(),
            "model": MODEL,
            "payload_hex": payload.hex(),
        },
        {"name": "a streamed reply", "stream": stream, "frames": frames_json(frames)},
        {
            "name": "a whole reply",
            "document": document,
            "frames": frames_json(document_frames(b"{}")),
        },
    ]
    reply = "Hi" + frame(REPLY, b"x")
    contents = {
        "a request without a run": "Thanks, that worked well for me.",
        "a reply sent as a request": reply,
        "two requests in one run": frame(REQUEST, b"x") * 2,
    }
    refused = [
        {"name": name, "content": text, "code": "sealed_invalid"} for name, text in contents.items()
    ]
    return {"good": good, "refused": refused}
