"""Keeps state.json true while `hcp up` runs, also over a full disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import psutil

from deploy.local import state
from deploy.local.directory import DataDirectory
from deploy.local.state import Endpoint, Phase, ProcessRecord, StackState


class Recorder:
    """What is told to it is written at once; what cannot be written, at a later `retry`."""

    def __init__(self, directory: DataDirectory, scenario: str | None) -> None:
        me = psutil.Process()
        self._file = directory.state_file
        self._state = StackState(
            phase="starting",
            supervisor_pid=os.getpid(),
            supervisor_started_at=me.create_time(),
            scenario=scenario,
            speed=None,
            data_dir=str(directory.path),
            processes=[],
            endpoints=[],
        )
        self._processes: Callable[[], list[ProcessRecord]] = list
        self._is_behind = False

    def know(self, scenario: str, speed: float, endpoints: Mapping[str, str]) -> None:
        """What is decided before the first process starts; written with what comes next."""
        self._state.scenario = scenario
        self._state.speed = speed
        self._state.endpoints = [Endpoint(*item) for item in endpoints.items()]

    def follow(self, processes: Callable[[], list[ProcessRecord]]) -> None:
        self._processes = processes

    def enter(self, phase: Phase) -> None:
        self._state.phase = phase
        self.write()

    def fail(self, why: str) -> None:
        """From now on the end is a failure."""
        self._state.error = why

    def end(self) -> None:
        self.enter("failed" if self._state.error else "stopped")

    def write(self) -> None:
        self._state.processes = self._processes()
        try:
            state.write(self._file, self._state)
            self._is_behind = False
        except OSError:
            self._is_behind = True  # to stop over it would end processes that may well go on

    def retry(self) -> None:
        if self._is_behind:
            self.write()
