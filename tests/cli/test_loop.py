"""Ctrl-C around code that blocks the event loop."""

import signal

import pytest

from luckrig.cli.loop import plain_ctrl_c, run


def test_ctrl_c_ends_what_blocks_the_loop() -> None:
    reached: list[str] = []

    async def main() -> None:
        async with plain_ctrl_c():
            reached.append("before")
            signal.raise_signal(signal.SIGINT)
            reached.append("after")

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert reached == ["before"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_from_just_before_leaves_nothing_to_answer() -> None:
    """asyncio only notes it while the loop is blocked; the question mustn't be asked then."""
    reached: list[str] = []

    async def main() -> None:
        signal.raise_signal(signal.SIGINT)
        reached.append("noted")
        async with plain_ctrl_c():
            reached.append("asked")

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert reached == ["noted"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_asyncio_handles_ctrl_c_again_afterwards() -> None:
    async def main() -> object:
        before = signal.getsignal(signal.SIGINT)
        async with plain_ctrl_c():
            pass
        return signal.getsignal(signal.SIGINT) == before

    assert run(main())
