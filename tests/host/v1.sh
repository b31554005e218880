# SPDX-License-Identifier: LGPL-2.1-or-later
# Groups, device rules and limits on a host with cgroup v1 alone, and no systemd.
# timeout: 820
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_CGROUP=v1 HOST_TIMEOUT=800
host_machine

is "$(grep -c " cgroup2 " /proc/mounts)" 0 "v1 alone"
host_tests live/acl live/settings

# a guest in its group
opens() { (echo 0 >"$group/qemu/cgroup.procs" && exec dd if="$1" of=/dev/null bs=1 count=0 status=none) 2>/dev/null; }
guest_xml one >"$T/one.xml"
ok "define" vm-define "$T/one.xml"
ok "start" vm-start one
is "$(vm-info --get=acl one)" v1 "device rules by v1"
group=/sys/fs/cgroup/devices$(vm-info --get=cgroup one)
ok "an allowed node" opens /dev/null
not_ok "one that is not" opens /dev/kmsg
pid=$(vm-info --get=pid one)
is "$(grep -cE ':(cpu,cpuacct|cpuset|memory|devices|freezer|blkio):/machine/one[^/]*/qemu$' "/proc/$pid/cgroup")" 6 "QEMU is in a group of its own wherever there are limits"
is "$(cat "/sys/fs/cgroup/cpuset$(vm-info --get=cgroup one)/qemu/cpuset.cpus")" "$(cat /sys/fs/cgroup/cpuset/cpuset.cpus)" "its cpuset has CPUs"
ok "destroy" vm-destroy one
not_ok "no group is left" test -e "$group"
leftovers
done_testing
