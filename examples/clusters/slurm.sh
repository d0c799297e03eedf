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

STUDY=${STUDY:-grid_vs_meta}
OUT=${OUT:-$PWD/results/$STUDY}
# Ray's sockets need a short path.
export RAY_TMPDIR=${RAY_TMPDIR:-/tmp/ray-$SLURM_JOB_ID}

head_node=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$head_node:${RAY_PORT:-6379}

# srun passes SIGTERM on; `exec` lets it reach the study.
exec srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" \
  ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" -- \
  metakd run "$STUDY" --cluster "$address" --out "$OUT" "$@"
