"""Slurm's commands as far as submitit uses them, for one machine: jobs are plain processes."""

from __future__ import annotations

from pathlib import Path

SBATCH = """\
#!/bin/sh
# Takes a job: its options are kept, its script is run apart, its end is written down.
cd "$SLURM_FAKE" || exit 1
if grep -q "partition=nowhere" "$1"; then
  echo "sbatch: error: invalid partition specified: nowhere" >&2; exit 1
fi
id=$(( $(ls | grep -c '^job') + 1001 ))
mkdir "job$id"; cp "$1" "job$id/script"; echo RUNNING > "job$id/state"
export SLURM_JOB_ID=$id SLURM_NTASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0
export SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=here
setsid sh -c 'echo $$ > "job$0/pid"; sh "job$0/script"; code=$?
  state=FAILED; [ $code = 0 ] && state=COMPLETED; [ $code = 137 ] && state=OUT_OF_MEMORY
  [ "$(cat job$0/state)" = RUNNING ] && echo $state > "job$0/state"' $id > /dev/null 2>&1 &
echo "Submitted batch job $id"
"""
SRUN = """\
#!/bin/sh
# Runs a job's command in its place: srun --unbuffered --output OUT --error ERR COMMAND...
id=$SLURM_JOB_ID
out=$(echo "$3" | sed "s/%j/$id/g; s/%t/0/"); err=$(echo "$5" | sed "s/%j/$id/g; s/%t/0/")
shift 5
mkdir -p "$(dirname "$out")"
exec "$@" > "$out" 2> "$err"
"""
SACCT = """\
#!/bin/sh
echo "JobID|State|NodeList"
cd "$SLURM_FAKE"
for job in job*; do echo "${job#job}|$(cat $job/state)|here"; done
"""
SCANCEL = """\
#!/bin/bash
cd "$SLURM_FAKE"
echo "CANCELLED by 0" > "job$1/state"
kill -TERM -- "-$(cat job$1/pid)"
"""


def install(folder: Path) -> dict[str, str]:
    """Write the commands; return the variables by which they are found, with PATH's front."""
    commands, state = folder / "bin", folder / "state"
    commands.mkdir(parents=True)
    state.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("sacct", SACCT), ("scancel", SCANCEL)):
        path = commands / name
        path.write_text(text)
        path.chmod(0o755)
    return {"SLURM_FAKE": str(state), "PATH": str(commands)}
