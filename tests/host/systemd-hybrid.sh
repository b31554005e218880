# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests in scopes where systemd keeps the controllers in version 1 and counts processes in version 2.
# timeout: 620
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
[ -x /lib/systemd/systemd ] || skip_all "no systemd here"
needs vm-define vm-start vm-cgroup vm-info vm-destroy
HOST_SYSTEMD=1
HOST_CGROUP=hybrid
HOST_TIMEOUT=600
host_machine
host_units

unset VM_ROOT
scope=machine.slice/vm-one.scope
opens() { (echo 0 >"/sys/fs/cgroup/devices/$scope/qemu/cgroup.procs" && exec dd if="$1" of=/dev/null bs=1 count=0 status=none) 2>/dev/null; }
gone() { ! systemctl --quiet is-active "$1"; }

guest_xml one >"$T/one.xml"
ok "define" vm-define "$T/one.xml"
systemd-run --quiet --scope --unit=session-7.scope --slice=user.slice sh -c 'vm-start one; exec sleep 1000' >"$T/login" 2>&1 &
wait_for 100 "a start from a login" guest_says one '^vm-test-guest ready'
diag "$(cat "$T/login")"
groups=$(cat "/proc/$(vm-info --get=pid one)/cgroup")
like "$groups" "^0::/$scope/qemu\$" "QEMU is in its scope of version 2"
for controller in cpu,cpuacct memory devices blkio cpuset freezer name=systemd; do
	like "$groups" "^[0-9]+:$controller:/$scope/qemu\$" "and of $controller"
done
ok "end of the login" systemctl stop session-7.scope
is "$(vm-info --get=state,acl one | tr '\n' ' ')" "running v1 " "the guest does not care"
ok "an allowed node" opens /dev/null
not_ok "one that is not" opens /dev/kmsg
ok "limits" vm-cgroup --live one cpu_shares=2048 hard_limit=600000
ok "daemon-reload" systemctl daemon-reload
not_ok "still not after a reload" opens /dev/kmsg
is "$(cat "/sys/fs/cgroup/cpu/$scope/cpu.shares")" 2048 "shares stay"
is "$(cat "/sys/fs/cgroup/memory/$scope/qemu/memory.limit_in_bytes")" 614400000 "so does a limit"
ok "destroy" vm-destroy one
wait_for 30 "the scope is gone" gone vm-one.scope
wait_for 30 "with all its groups" sh -c '! find /sys/fs/cgroup -name vm-one.scope | grep .'
ok "start again" vm-start one
ok "destroy again" vm-destroy one
done_testing
