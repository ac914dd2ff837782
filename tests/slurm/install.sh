#!/bin/bash
# What the tests of this folder need, on Debian and Ubuntu, as root. Nothing is started.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
needed=(slurmctld slurmd slurm-client munge shellcheck)
dpkg --status "${needed[@]}" > /dev/null 2>&1 && exit 0
apt-get update -qq
apt-get install -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 "${needed[@]}" > /dev/null
