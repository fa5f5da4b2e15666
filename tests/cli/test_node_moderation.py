"""`luckrig node start` and `demo` with wrong settings for a moderation service."""

import pytest

from luckrig.cli.home import Home
from luckrig.cli.rig_plan import chosen_moderation
from tests.cli.conftest import Luckrig

SECRET = "sk sentinel"


pytestmark = pytest.mark.usefixtures("logging_as_before")


@pytest.mark.parametrize(
    "command", [("node", "start", "--engine", "http://127.0.0.1:9"), ("demo",)]
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LUCKRIG_MODERATION_URL", "guard.example"),
        ("LUCKRIG_MODERATION_KEY", SECRET),
        ("LUCKRIG_MODERATION_TIMEOUT", "0"),
        ("LUCKRIG_MODERATE_OUTPUT", "blcok"),
    ],
)
def test_wrong_values_stop_the_start(
    name: str,
    value: str,
    command: tuple[str, ...],
    luckrig: Luckrig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, value)
    result = luckrig(*command)
    assert result.code != 0
    assert name in result.err
    assert SECRET not in result.out + result.err


def test_flags_are_kept_in_the_home_folder(home: Home) -> None:
    environ = {"LUCKRIG_MODERATION_URL": "https://guard.example"}
    settings = chosen_moderation(environ, home.path)
    assert settings is not None
    assert settings.folder == home.path / "moderation"
