#!/usr/bin/env bash
# A study on several machines of a Slurm cluster: sbatch examples/clusters/slurm.sh [options of the study]
#
# Every machine starts Ray, the first one runs the study. Results lie in OUT, which all machines must see
# (NFS, Lustre, or an object store: OUT=s3://BUCKET/STUDY). Slurm sends SIGTERM before the time is over;
# submitted again, the same script goes on from there.
#SBATCH --job-name=metakd
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail

refuse() {
  echo "error: $1" >&2
  exit 2
}

: "${SLURM_JOB_ID:?submit this script with sbatch}"
: "${SLURM_JOB_NODELIST:?submit this script with sbatch}"
: "${SLURM_JOB_NUM_NODES:?submit this script with sbatch}"
for name in scontrol srun ray metakd; do
  command -v "$name" >/dev/null || refuse "$name is not on PATH: load its module or environment first"
done

STUDY=${STUDY:-grid_vs_meta}
OUT=${OUT:-$PWD/results/$STUDY}
# Ray's sockets need a short path.
export RAY_TMPDIR=${RAY_TMPDIR:-/tmp/ray-$SLURM_JOB_ID}
# Ray gives machines 30 s to start by default: Python from a shared disk may take longer.
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=${RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT:-300}
# Without a token, whoever reaches the port may run code as this user. Left to itself, Ray takes the one in
# ~/.ray on the first machine alone, which then refuses the others and the study.
export RAY_AUTH_MODE=${RAY_AUTH_MODE:-token}
if [[ -z ${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-} ]]; then
  RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
  export RAY_AUTH_TOKEN
fi

nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
address=${nodes%%$'\n'*}:${RAY_PORT:-6379}

# Ray's command runs what follows `--` on the first machine once all have joined, and stops Ray after it.
# That is no study: the command dies of SIGTERM and does not pass it on.
ready=$(mktemp -d)/ready
srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" \
  ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" -- \
  sh -c "touch '$ready' && exec sleep infinity" &
until [[ -e $ready ]]; do
  kill -0 $! 2>/dev/null || refuse "Ray did not start on every machine: its lines are above"
  sleep 1
done
rm -r "${ready%/*}"

# This shell is what SIGTERM comes to; `exec` lets it reach the study. Slurm ends srun with the job.
exec metakd run "$STUDY" --cluster "$address" --out "$OUT" "$@"
