#!/bin/bash
# Train a sweep on a Slurm cluster: an array of shards, NODES of them at once, and a job that merges them.
#   bash submit.sh SWEEP.toml FOLDER NODES [options of mlrtui run]
# FOLDER is on the shared disk; it gets the shards' backups, their logs and all.db. SHARDS=N sets the number of shards.
set -euo pipefail

sweep=$(realpath "$1") folder=$2 nodes=$3
shift 3
shards=${SHARDS:-$((4 * nodes))} # more than nodes: a node that is done takes the next
scripts=$(dirname "$(realpath "$0")")
mkdir -p "$folder"
folder=$(realpath "$folder")

mlrtui run "$sweep" --dry-run --store "$folder/none.db" "$@" # mistakes are told here, not in a log
array=$(sbatch --parsable --array="0-$((shards - 1))%$nodes" --output="$folder/shard-%a.out" \
  "$scripts/shard.sbatch" "$sweep" "$folder" "$shards" "$@")
merge=$(sbatch --parsable --dependency="afterany:$array" --output="$folder/merge.out" "$scripts/merge.sbatch" "$folder")
echo "shards: job $array; merge: job $merge; results: $folder/all.db"
