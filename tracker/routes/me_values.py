"""What /me shows, made of what services know."""

from typing import Final

from luckrig.protocol.wire import ScoreReply
from luckrig.tracker.domain.dealings import (
    DISCOVERY,
    NOTE_REPRODUCED,
    NOTE_SELECTED,
    PAIR_CAPS,
    RARE_MILLI,
)
from luckrig.tracker.domain.score import (
    AXIS_CAPS,
    EXISTENCE_PER_DAY,
    REPRODUCTION,
    REPRODUCTIONS_CAP,
    SCARCITY_PER_DAY,
    TIMING,
    TIMINGS_CAP,
    Score,
)
from luckrig.tracker.service import own_things
from luckrig.web.me_pages import OwnRig, OwnScore, OwnToken
from luckrig.web.score_chart import ScoreLine

_WORTH: Final = {
    "rig": {"day": EXISTENCE_PER_DAY, "rare": SCARCITY_PER_DAY},
    "used": {"pair": PAIR_CAPS["usage"]},
    "rare": {"each": DISCOVERY, "from": RARE_MILLI},
    "notes": {
        "selected": NOTE_SELECTED,
        "reproduced": NOTE_REPRODUCED,
        "pair": PAIR_CAPS["notes"],
    },
    "timings": {"each": TIMING, "cap": TIMINGS_CAP},
    "reproduce": {"each": REPRODUCTION, "cap": REPRODUCTIONS_CAP},
}


def own_score(reply: ScoreReply, score: Score) -> OwnScore:
    """reply, score: the same one twice, as ScoreService.explained gives it."""
    lines = [
        ScoreLine(axis=term.axis, kind=term.kind, amount=term.amount, n=term.n, who=term.who)
        for term in score.terms
    ]
    caps = {str(axis): cap for axis, cap in AXIS_CAPS.items()}
    return OwnScore(reply=reply, lines=lines, caps=caps, worth=_WORTH)


def own_rig(rig: own_things.OwnRig) -> OwnRig:
    """A rig as its owner sees it."""
    node, health, wish = rig.node, rig.node.health, rig.wish
    return OwnRig(
        node_id=node.node_id,
        name=node.descriptor.name,
        status=health.status,
        is_listed=rig.is_listed,
        note=node.descriptor.note,
        queue=health.queue,
        opens_at=health.opens_at,
        last_seen_at=health.last_seen_at,
        day=rig.day.all,
        week=rig.week.all,
        disputed=rig.week.disputed,
        said=rig.said,
        wish_paused=None if wish is None else wish.paused,
        wish_at=0 if wish is None else wish.at,
        is_confirmed=wish is not None and health.wish_at == wish.at,
    )


def own_tokens(found: own_things.OwnTokens, *, now: float) -> list[OwnToken]:
    """The tokens, each with a word for its state."""
    return [
        OwnToken(
            node_id=token.node_id,
            name=found.names.get(token.node_id),
            issued_at=token.issued_at,
            expires_at=token.expires_at,
            state="revoked" if token.revoked else "running" if token.expires_at > now else "ended",
        )
        for token in found.tokens
    ]
