"""What stops a deployment, said in one sentence a person can act on.

DeployError
├── DownloadError          no network, a refused request, or a checksum that differs
├── DataDirectoryError     the data directory belongs to another layout, version, user or run
├── PortTakenError         somebody else listens where we must
├── NoSpaceError           too little room on the disk
└── StartError             a child ended, or did not become ready in time
"""

from __future__ import annotations


class DeployError(Exception):
    """The message is the whole explanation; the command line prints it and exits with 1."""


class DownloadError(DeployError):
    pass


class DataDirectoryError(DeployError):
    pass


class PortTakenError(DeployError):
    pass


class NoSpaceError(DeployError):
    pass


class StartError(DeployError):
    pass
