# SPDX-License-Identifier: LGPL-2.1-or-later
# The limit of a guest's memory, met: the kernel ends that guest's QEMU and nobody else.
. "$(dirname "$0")/../tap.sh"
root_needed
needs vm-define vm-undefine vm-start vm-destroy vm-info vm-qmp vm-cgroup vm-wait vm-events

for g in a b; do
	guest_xml $g | sed 's|<vcpu>|<memtune><hard_limit unit="MiB">200</hard_limit></memtune><vcpu>|' >"$T/$g.xml"
	vm-define -q "$T/$g.xml"
done
run vm-start a b
case $err in *'not available on this host'*) skip_all "no memory controller here" ;; esac
is "$status" 0 "two guests of 32 MiB, each with a limit of 200"
limit=$(vm-cgroup --raw a hard_limit | cut -f2)
is "$(cat "$limit")" $((200 << 20)) "the kernel has it"
wait_for 60 "they boot" sh -c "grep -q ready '$T/a.console' && grep -q ready '$T/b.console'"
pid=$(vm-info --get=pid a)
watcher=$(vm-info a processes | awk -F '\t' '$1 == "watcher" { print $2 }')
# QEMU takes memory for itself, as it would if it leaked
run vm-qmp --timeout=60 a '{"execute":"object-add","arguments":{"qom-type":"memory-backend-ram","id":"leak","size":536870912,"prealloc":true}}'
isnt "$status" 0 "it does not get 512 MiB"
off() { [ "$(vm-info --get=state a)" = shutoff ]; }
wait_for 60 "its QEMU is killed" off
is "$(vm-info --reason --get=state a)" "shutoff crashed-signal-9" "by signal 9"
is "$(vm-info --get=state b)" running "the other guest runs"
wait_for 20 "the watcher has given everything back and ended, by itself" sh -c "! [ -e /proc/$watcher/exe ]"
ok "nothing of it is left in the host's places" sh -c "! [ -e '$VM_ROOT/run/vm/qemu/a/record' ]"
ok "it can be started again" vm-start a
isnt "$(vm-info --get=pid a)" "$pid" "as another process"
vm-destroy -q a b
vm-undefine -q a b
leftovers
done_testing
