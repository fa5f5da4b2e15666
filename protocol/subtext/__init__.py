"""Subtext: a request and its reply sealed to one rig, inside ordinary looking chat messages.

| module       | what it is                                                             |
|--------------|------------------------------------------------------------------------|
| `codec`      | bytes as variation selectors after a cover text, and back              |
| `cover`      | the texts that are visible                                             |
| `hpke`       | sealing to a rig's key (RFC 9180), with or without ML-KEM              |
| `keyring`    | a rig's sealing keys: signed by the rig, a new one each day            |
| `request`    | one sealed request: what is in it, and to what it is bound             |
| `reply`      | a sealed reply: frames of equal size, each with its own nonce          |
| `items`      | what is inside a reply's frames: a head, events, bytes                 |
| `carrier`    | the OpenAI messages that carry all that                                |

The whole request is sealed: path, parameters, tools, system messages. docs/PROTOCOL.md says what
that looks like, byte by byte, and what it doesn't hide.
"""
