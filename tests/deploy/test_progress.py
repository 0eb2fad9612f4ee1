"""What `hcp status` says of a process that is behind."""

from __future__ import annotations

from rich.console import Console

from deploy.display import process_table
from deploy.local.progress import behind, fill_in, lag_in
from deploy.local.state import ProcessRecord

SAID = """\
# HELP hcp_streams_lag_records Records of the log that the agent has not applied yet.
# TYPE hcp_streams_lag_records gauge
hcp_streams_lag_records{agent="routing",partition="0"} 1.2e+06
hcp_streams_lag_records{agent="routing",partition="1"} 34.0
hcp_streams_unsearched_records{agent="routing",partition="0"} 5.0
hcp_streams_position_offset{agent="routing",partition="0"} 77.0
"""


def record(name: str, *, behind: int | None = None) -> ProcessRecord:
    return ProcessRecord(
        name=name,
        pid=1,
        started_at=0.0,
        state="running",
        restarts=0,
        last_exit=None,
        retry_in_s=None,
        stop_signal=15,
        log="",
        metrics="http://127.0.0.1:1/metrics",
        behind=behind,
    )


def test_what_is_left_of_every_partition_is_added_up() -> None:
    assert lag_in(SAID) == 1_200_039
    assert lag_in('hcp_projections_lag_records{topic="t",partition="0"} 5\n') == 5


def test_a_process_that_says_nothing_of_it_is_not_known_to_be_abreast() -> None:
    assert lag_in("python_info 1\n") is None
    assert behind("http://127.0.0.1:1/metrics") is None
    process = record("routing")
    fill_in([process])
    assert process.behind is None


def test_status_shows_it_where_it_is_known() -> None:
    console = Console(width=100, record=True)
    console.print(process_table([record("routing", behind=1_200_034), record("gateway")]))
    shown = console.export_text()
    assert "records behind" in shown
    assert "1,200,034" in shown
    console.print(process_table([record("gateway")]))
    assert "records behind" not in console.export_text()
