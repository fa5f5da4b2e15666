"""What the wheel holds: every package, nothing at the top level but `luckrig`."""

import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_folder_with_python_is_in_the_package_list() -> None:
    """The list is written by hand; a forgotten entry would leave files out of the wheel."""
    found: set[str] = set()
    for name, folder in SETUPTOOLS["package-dir"].items():
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join([name, *init.parent.relative_to(ROOT / folder).parts]))
    assert found == set(SETUPTOOLS["packages"])


def test_every_folder_with_python_has_an_init_file() -> None:
    for folder in SETUPTOOLS["package-dir"].values():
        for module in (ROOT / folder).rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), module


def test_type_checker_links_match_the_package_table() -> None:
    for name, folder in SETUPTOOLS["package-dir"].items():
        link = ROOT.joinpath(".links", *name.split("."))
        assert link.resolve() == ROOT / folder, f"run: ln -s ../../{folder} {link}"


@pytest.mark.timeout(180)  # pip resolves and installs into a new environment
def test_wheel_installs_into_an_empty_environment(tmp_path: Path) -> None:
    """Only luckrig/ lands in site-packages, with every template, migration, rule and the model."""
    source = tmp_path / "source"  # a build leaves files behind, and must not find older ones
    # Nor does it need what other tests write while it is copied: all of that is hidden.
    junk = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "node_modules")
    shutil.copytree(ROOT, source, symlinks=True, ignore=junk)
    _run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q",
         "-w", str(tmp_path), str(source))  # fmt: skip
    (wheel,) = tmp_path.glob("luckrig-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"luckrig"}
    assert _data_files() <= set(names)

    venv.create(tmp_path / "venv")  # our pip fills it: to install another there takes long
    python = tmp_path / "venv" / "bin" / "python"
    _run(sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-compile",
         "--disable-pip-version-check", str(wheel))  # fmt: skip
    listed = _run(str(python.with_name("luckrig")), "--help")
    assert "demo" in listed
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(_run(str(python), "-c", where).strip())
    tops = {path.name.split("-")[0] for path in site.iterdir() if path.name.startswith("luck")}
    assert tops == {"luckrig"}
    for leaked in SETUPTOOLS["package-dir"].values():
        assert not (site / leaked).exists()


def _data_files() -> set[str]:
    """Files that are no Python, as they must be named in the wheel."""
    found: set[str] = set()
    for name, folder in SETUPTOOLS["package-dir"].items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in {".html", ".css", ".js", ".sql", ".toml", ".gguf"}:
                inside = path.relative_to(ROOT / folder).as_posix()
                found.add(f"{name.replace('.', '/')}/{inside}")
    return found


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout
