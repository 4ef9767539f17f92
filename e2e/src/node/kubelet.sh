#!/bin/bash
# Starts the kubelet. It insists on three sysctls of the whole machine, and would write them; it is shown files with the
# values that it wants, in a mount namespace of its own: were they hidden in the node's, /proc would count as covered and no
# pod could have a user namespace.
#
#   kubelet.sh FOLDER KUBELET FLAG...
set -eu
folder=$1
shift
mount --make-rprivate /proc
for pair in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do
  file=$folder/$(basename "${pair%=*}")
  echo "${pair#*=}" >"$file"
  mount --bind "$file" "/proc/sys/${pair%=*}"
done
exec "$@"
