#!/bin/bash
# A Slurm cluster of two nodes, as process 1 of network, host-name and process namespaces of its own:
#   unshare --net --uts --pid --fork --kill-child --mount-proc cluster.sh FOLDER
# It is up when FOLDER/up is there, and ends as a whole when it is killed. All output goes to files of FOLDER.
set -euo pipefail
folder=$1
export SLURM_CONF=$folder/slurm.conf

ip link set lo up
hostname localhost
ip addr add 10.99.0.1/32 dev lo # while loopback is the only address, Slurm resolves no name (AI_ADDRCONFIG)

mkdir -p "$folder"/{munge,state,spool.n1,spool.n2} # slurmd does not make its spool folder
chmod 700 "$folder/munge"
(umask 077 && head -c 1024 /dev/urandom > "$folder/munge/key")
munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
  --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" < /dev/null > "$folder/munge.out" 2>&1

cat > "$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
CryptoType=crypto/munge
StateSaveLocation=$folder/state
SlurmctldPidFile=$folder/slurmctld.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmdLogFile=$folder/slurmd.%n.log
SlurmdSpoolDir=$folder/spool.%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
KillWait=60
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n[1-2] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[7001-7002] CPUs=4
PartitionName=low Nodes=n[1-2] Default=YES PriorityTier=1 MaxTime=INFINITE
PartitionName=high Nodes=n[1-2] PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE
CONF

# The daemons keep the descriptors that they inherit: an end of file of ours would never come.
slurmctld < /dev/null > "$folder/slurmctld.out" 2>&1
for node in n1 n2; do
  slurmd -N "$node" < /dev/null > "$folder/slurmd.$node.out" 2>&1
done
until [ "$(sinfo --noheader --Node --states=idle --partition=low --format=%N 2> /dev/null | wc -l)" = 2 ]; do sleep 0.1; done
touch "$folder/up"
while :; do sleep 3600 & wait "$!"; done # and reap what the daemons leave
