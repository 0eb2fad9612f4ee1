"""What is run, and from where its code comes."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deploy.local.directory import DataDirectory
from deploy.local.plan import make_plan


def test_a_file_where_hcp_is_called_is_never_run_as_ours(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    directory.claim()
    plan = make_plan(directory, directory.choices(), "seed", None)
    directory.release()
    commands = [*plan.steps(), *(command for stage in plan.stages() for command in stage)]
    for command in commands:
        module = command.argv[command.argv.index("-m") + 1]
        (tmp_path / f"{module}.py").write_text("raise SystemExit('a stranger ran')")
    for executable, *options in {command.argv[: command.argv.index("-m")] for command in commands}:
        find = "import schemas, streams, projections, gateway, simulators"
        found = subprocess.run(
            [executable, *options, "-c", find], cwd=tmp_path, capture_output=True, check=False
        )
        assert found.returncode == 0, found.stderr
