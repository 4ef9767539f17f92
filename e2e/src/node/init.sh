#!/bin/bash
# The first process of a node: it makes the namespaces that it was started in a machine of their own, says "ready", and reaps
# orphans (bash does so by itself) until standard input ends. With it end every process, mount, interface and rule.
#
#   init.sh FOLDER PACKAGES CGROUP ADDRESS
set -eu
folder=$1 packages=$2 cgroup=$3 address=$4

# /sys shows the network of whoever mounts it. The cgroup hierarchies stay those of the machine.
mkdir -p "$folder/sys" "$folder/scratch"
mount --make-rprivate /
mount --rbind /sys/fs/cgroup "$folder/sys"
umount -R -l /sys
mount -t sysfs sysfs /sys
mount --rbind "$folder/sys" /sys/fs/cgroup
umount -R -l "$folder/sys"

# Places whose names are fixed in the programs: written here, and nowhere on the machine.
mount -t tmpfs tmpfs "$folder/scratch"
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir "$folder/scratch/upper" "$folder/scratch/work"
mount -t overlay -o "lowerdir=/var/lib,upperdir=$folder/scratch/upper,workdir=$folder/scratch/work" overlay /var/lib
if [ -n "$packages" ]; then
  mount -t overlay -o "lowerdir=$packages/usr:/usr,ro" overlay /usr
fi
# What the kubelet mounts has to reach the container runtime.
mount --make-rshared /

hostname "$(basename "$cgroup")"
ip link set lo up
ip link add node0 type veth peer name node0p
ip address add "$address/24" dev node0
ip link set node0 up
ip link set node0p up
ip route add default via 10.200.0.254 dev node0
# All of these belong to this network namespace.
sysctl -q -w net.ipv4.ip_forward=1
# Without it a reply on the bridge goes around the translation of a Service's address.
sysctl -q -w net.bridge.bridge-nf-call-iptables=1 || true
if [ -e /proc/net/if_inet6 ]; then
  sysctl -q -w net.ipv6.conf.all.forwarding=1
  sysctl -q -w net.bridge.bridge-nf-call-ip6tables=1 || true
fi

for hierarchy in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do
  [ -d "/sys/fs/cgroup/$hierarchy" ] || continue
  mkdir -p "/sys/fs/cgroup/$hierarchy/$cgroup"
  if [ "$hierarchy" = cpuset ]; then
    cat /sys/fs/cgroup/cpuset/cpuset.cpus >"/sys/fs/cgroup/cpuset/$cgroup/cpuset.cpus"
    cat /sys/fs/cgroup/cpuset/cpuset.mems >"/sys/fs/cgroup/cpuset/$cgroup/cpuset.mems"
  fi
done

echo ready
while read -r _; do :; done
