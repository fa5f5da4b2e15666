"""Who may decide: the users that the tracker was started with as its operators."""

from luckrig.protocol.errors import PeerError


class Operators:
    """ids: their user ids, u1…."""

    def __init__(self, ids: frozenset[str]) -> None:
        self._ids = ids

    @property
    def is_alone(self) -> bool:
        """Whether there is only one, so that nobody else can look at what they decided."""
        return len(self._ids) == 1

    def __contains__(self, user_id: object) -> bool:
        """Whether that user is one."""
        return user_id in self._ids

    def check(self, user_id: str) -> None:
        """Raises PeerError operators_only unless that user is one."""
        if user_id not in self._ids:
            raise PeerError(
                "operators_only",
                f"Only this tracker's operators may do this, and {user_id} is none of them.",
            )
