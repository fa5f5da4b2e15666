"""What holds for every test: it reads no clock, and the processes it starts hear Ctrl-C."""

import signal

from hypothesis import HealthCheck, settings


def pytest_configure() -> None:
    """Make a run on a busy machine, or in the background, like any other."""
    # Examples that take long are no fault; pytest's own timeout ends what hangs.
    settings.register_profile(
        "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("any-machine")
    # A shell starts what it runs in the background deaf to SIGINT, and deafness is inherited.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
