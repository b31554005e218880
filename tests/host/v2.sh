# SPDX-License-Identifier: LGPL-2.1-or-later
# Groups, device rules and limits on a host with cgroup v2 alone, all of its controllers there, and no systemd.
# timeout: 820
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_CGROUP=v2 HOST_TIMEOUT=800
host_machine

is "$(stat -f -c %T /sys/fs/cgroup)" cgroup2fs "v2 alone"
host_tests live/acl live/settings live/memory

# a guest in its group
opens() { (echo 0 >"$group/qemu/cgroup.procs" && exec dd if="$1" of=/dev/null bs=1 count=0 status=none) 2>/dev/null; }
guest_xml one >"$T/one.xml"
ok "define" vm-define "$T/one.xml"
ok "start" vm-start one
is "$(vm-info --get=acl one)" v2 "device rules by v2"
group=/sys/fs/cgroup$(vm-info --get=cgroup one)
ok "an allowed node" opens /dev/null
not_ok "one that is not" opens /dev/kmsg
like "$(cat "$group/qemu/cgroup.controllers")" 'cpuset cpu io memory' "QEMU's group has controllers"
ok "destroy" vm-destroy one
not_ok "no group is left" test -e "$group"
leftovers
done_testing
