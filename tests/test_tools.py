"""The set-up scripts behind the Makefile, on made-up systems of commands that say what they are told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"
BASH = "/bin/bash"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="The Makefile and its scripts are for Linux and macOS")


class System:
    """A folder of fake commands that a script runs with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()
        for name in ("env", "id", "dirname", "rm", "cat"):
            real = next(p for p in ("/usr/bin", "/bin") if Path(p, name).exists())
            (folder / name).symlink_to(Path(real, name))

    def command(self, name: str, script: str) -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!{BASH}\n{script}\n")
        path.chmod(0o755)

    def run(self, tool: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
        environment |= {"PATH": str(self.folder), "LOG": str(self.log)}
        command = [BASH, str(TOOLS / tool), *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def debian(tmp_path: Path) -> System:
    """Make a bare Debian that has everything but two of the packages."""
    system = System(tmp_path)
    system.command("uname", "echo Linux")
    system.command("dpkg-query", 'case "$3" in xvfb|libxcb-cursor0) exit 1 ;; *) echo -n installed ;; esac')
    system.command("apt-get", 'echo "apt-get $*" >> "$LOG"')
    system.command("sudo", "exit 1")
    return system


def test_root_gets_the_missing_packages_and_only_them(debian: System) -> None:
    debian.command("id", "echo 0")
    assert debian.run("system-libraries").returncode == 0
    [line] = debian.log.read_text().splitlines()
    assert line.endswith(" xvfb libxcb-cursor0")


def test_other_packages_can_be_asked_for(debian: System) -> None:
    debian.command("id", "echo 0")
    debian.command("dpkg-query", "exit 1")
    assert debian.run("system-libraries", "postgresql").returncode == 0
    [line] = debian.log.read_text().splitlines()
    assert line.endswith(" --no-install-recommends postgresql")


def test_lists_are_updated_when_packages_are_unknown(debian: System) -> None:
    debian.command("id", "echo 0")
    debian.command("apt-get", 'echo "$1" >> "$LOG"; [ "$1" = update ] || [ "$(cat "$LOG")" != install ]')
    assert debian.run("system-libraries").returncode == 0
    assert debian.log.read_text().split() == ["install", "update", "install"]


def test_without_rights_the_packages_are_named(debian: System) -> None:
    debian.command("id", "echo 1000")
    result = debian.run("system-libraries")
    assert result.returncode == 1
    assert result.stderr == (
        "These system packages are missing and need an administrator: sudo apt-get install xvfb libxcb-cursor0\n"
    )
    assert debian.log.read_text() == ""


def test_sudo_without_a_password_is_used(debian: System) -> None:
    debian.command("id", "echo 1000")
    debian.command("sudo", 'shift; echo "sudo $*" >> "$LOG"; "$@"')
    assert debian.run("system-libraries").returncode == 0
    assert "apt-get install" in debian.log.read_text()


def test_a_system_that_has_everything_is_left_alone(debian: System) -> None:
    debian.command("dpkg-query", "echo -n installed")
    assert debian.run("system-libraries").returncode == 0
    assert debian.log.read_text() == ""


def test_the_first_python_that_runs_and_is_new_enough_is_taken(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.command("python3", '[[ "$2" == *version_info* ]] && exit 1; echo "old $*" >> "$LOG"')
    system.command("python3.13", "exit 127")
    system.command("python3.12", 'echo "$1 $2 $3" >> "$LOG"')
    assert system.run("make-venv", tmp_path / "new").returncode == 0
    assert system.log.read_text().splitlines()[-1] == f"-m venv {tmp_path / 'new'}"
    assert "old" not in system.log.read_text()


def test_without_a_python_that_is_said(tmp_path: Path) -> None:
    result = System(tmp_path).run("make-venv", tmp_path / "new")
    assert result.returncode == 1
    assert result.stderr.startswith("Python 3.11 or newer is needed")
    assert not (tmp_path / "new").exists()


def test_a_virtual_display_is_used_only_where_there_is_none(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.command("uname", "echo Linux")
    system.command("xvfb-run", 'echo "virtual ${@: -1}"')
    assert system.run("with-display", "hello").stdout == "virtual hello\n"
    system.command("uname", "echo Darwin")
    system.command("hello", "echo real")
    assert system.run("with-display", "hello").stdout == "real\n"
