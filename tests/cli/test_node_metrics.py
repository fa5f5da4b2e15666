"""`luckrig node start` with a token for /metrics."""

import pytest

from tests.cli.conftest import Luckrig

pytestmark = pytest.mark.usefixtures("logging_as_before")


@pytest.mark.parametrize("token", ["short-sentinel", "with a space sentinel"])
def test_a_token_that_is_no_good_stops_the_start(
    token: str, luckrig: Luckrig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUCKRIG_METRICS_TOKEN", token)
    result = luckrig("node", "start", "--engine", "http://127.0.0.1:9")
    assert result.code != 0
    assert "LUCKRIG_METRICS_TOKEN must be 16 to 1024" in " ".join(result.err.split())
    assert "sentinel" not in result.out + result.err
