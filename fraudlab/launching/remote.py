"""What a worker on another machine does with a job.

The result travels through the shared folder alone; what comes back over the network is its time,
by which the driver knows that it sees this result and not an earlier one.
"""

from __future__ import annotations

import platform
from pathlib import Path

from fraudlab.errors import FraudlabError
from fraudlab.launching.jobs import Job
from fraudlab.provenance import resume_key
from fraudlab.runs import read_result


def perform(job: Job) -> str:
    """Train a job's candidate; return when its result was finished.

    Raises
    ------
    FraudlabError
        If this machine does not share the output folder, or has other code: the result would stand
        under the key of another one.
    """
    if not (Path(job.home) / "outputs").is_dir():
        raise FraudlabError(
            f"{platform.node()} does not see {job.home}: the machines must share the output folder"
        )
    planned = job.planned
    if not resume_key(planned.config, planned.data_fingerprint).startswith(planned.run):
        raise FraudlabError(
            f"{platform.node()} has another fraudlab, or other plugins, than the machine that"
            " started the sweep: install the same there"
        )
    from fraudlab.launching.working import work

    work(job)
    record = read_result(job.run)
    return str(record and record.finished)
