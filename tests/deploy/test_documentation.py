"""The README names every setting that the command line reads."""

from __future__ import annotations

import re

from tests.deploy.driving import ROOT

# told to children, never by a person
INTERNAL = {"HCP_METRICS_PORT"}


def test_every_setting_of_the_command_line_is_in_the_readme() -> None:
    code = "".join(file.read_text() for file in (ROOT / "deploy").rglob("*.py"))
    read = set(re.findall(r"\bHCP_[A-Z_]*[A-Z]\b", code)) - INTERNAL
    assert len(read) > 8
    readme = (ROOT / "README.md").read_text()
    assert sorted(name for name in read if f"`{name}`" not in readme) == []
