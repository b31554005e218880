# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests in scopes of a service manager: what talks to it, interrupted or failing at any system call. No scope is left
# over, and the next command converges. A program plays systemd's part, in a /run that only this script sees.
# timeout: 3600
[ -n "${VM_OWN_RUN:-}" ] || [ "$(id -u)" != 0 ] || VM_OWN_RUN=1 exec unshare -m --propagation private sh "$0"
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
root_needed
needs vm-define vm-undefine vm-start vm-destroy vm-cgroup vm-info
grep -q ' - cgroup2 ' /proc/self/mountinfo || skip_all "no cgroups of version 2"
mount -t tmpfs -o mode=755 none /run 2>/dev/null || skip_all "no file system can be mounted on /run"
mkdir -p /run/systemd/system
group=/vmt-scope-$$
"$VM_BUILD/tests/fake-systemd" /run/systemd/private "$group" 2>"$T/systemd" &
manager=$!
at_exit "kill $manager; wait $manager"
await 20 test -S /run/systemd/private || skip_all "$(cat "$T/systemd")"

f_sample=${VM_FAULT_SAMPLE:-6}
f_guest=fscope$$
guest_xml "$f_guest" >"$T/guest.xml"
f_learn_caps
f_prepare() { vm-define -q "$T/guest.xml"; }
f_command() { "$@" vm-start -q "$f_guest"; }
f_converge() { "$@" vm-start -q --if-needed "$f_guest"; }
f_finish() { vm-destroy -q "$f_guest"; }
f_check() { kill -0 "$manager" || echo "what plays systemd has ended"; }

f_new_root
f_prepare
ok "a guest that starts" vm-start -q "$f_guest"
like "$(vm-info --get=cgroup "$f_guest")" "^$group/machine.slice/vm-$f_guest\.r[0-9a-f]{8}\.scope\$" "is in a scope"
f_finish
wait_for 20 "which goes with it" sh -c "[ -z \"\$('$VM_BUILD/tests/group-scan' '$VM_ROOT')\" ]"

# from the first word to systemd until the groups in the scope are made
f_window=connect:mkdirat
faults "vm-start in a scope" tool kill tree fail
# over the bus, which is greeted first
mkdir -p /run/dbus
mv /run/systemd/private /run/dbus/system_bus_socket
faults "vm-start in a scope, over the bus" tool kill fail
mv /run/dbus/system_bus_socket /run/systemd/private

f_window=
f_prepare() { vm-define -q "$T/guest.xml" && vm-start -q "$f_guest"; }
f_command() { "$@" vm-destroy -q "$f_guest"; }
f_converge() { "$@" vm-destroy -q --if-needed "$f_guest" || "$@" vm-start -q "$f_guest"; }
f_whole=no
faults "vm-destroy of a scope" tool kill fail
f_whole=

# limits of the whole, which systemd is told
f_command() { "$@" vm-cgroup -q --live --config "$f_guest" cpu_shares=300; }
f_converge() { "$@" vm-cgroup -q --live --config "$f_guest" cpu_shares=300; }
faults "vm-cgroup of a scope" tool kill fail
leftovers
done_testing
