# SPDX-License-Identifier: LGPL-2.1-or-later
# QEMU's answer to vm-attach-hostdev and vm-detach-hostdev is lost, with a QEMU that lives and answers: it is asked again, and
# nobody is left in doubt.
# timeout: 300
. "$(dirname "$0")/../lib/plug.sh"
[ -x "$VM_BUILD/tests/fault" ] || skip_all "the fault harness is not built for this processor"
run=$VM_ROOT/run/vm/qemu
driver() { basename "$(readlink "$VM_SYSROOT/sys/bus/pci/devices/$card/driver")"; }
state() {
	host_state
	vm-cgroup hot devices
	ls "$run/hot"
	cat "$run/hot/live.xml"; sort "$run/hot/record"
	vm-qmp hot 'qom-list {"path":"/machine/peripheral"}'
}
plug_xml hot >"$T/hot.xml"
status_is 0 vm-define "$T/hot.xml"
status_is 0 vm-start hot
wait_for 10 "the guest is up" guest_says hot '^pci end'
state >"$T/without"
vm-attach-hostdev -q hot "$card"
state >"$T/with"
is "$(driver)" vfio-pci "it is attached"
ok "and detached" vm-detach-hostdev -q hot "$card"

# The last message to QEMU, which is the one that gives or takes, and what is read of it.
calls() { # COMMAND...
	"$VM_BUILD/tests/fault" count --list -- "$@" >/dev/null 2>"$T/calls" || return
	at=$(awk '$3 == "sendmsg" { n = $1 } END { print n }' "$T/calls")
	diag "$1: the last message is call $at of $(wc -l <"$T/calls")"
}
lose() { # CALL COMMAND...
	lost=$1
	shift
	"$VM_BUILD/tests/fault" fail "$lost" auto --pick=1 --list -- "$@" >/dev/null 2>"$T/lost"
	status=$?
	diag "call $lost, $(awk -v n="$lost" '$1 == n { print $3 }' "$T/lost"): status $status, $(grep -v '^[0-9]' "$T/lost" | head -n 1)"
}
if grep -q '^VM_SANITIZE:[A-Z]*=.' "$VM_BUILD/CMakeCache.txt"; then
	skip_all "an instrumented build cannot be traced"
fi
calls vm-attach-hostdev -q hot "$card"
# A run makes some calls more than another: it is gone on with until one is met at which QEMU had taken it.
given=0 n=-1
while n=$((n + 1)) && [ "$n" -lt 5 ] || { [ "$given" -eq 0 ] && [ "$n" -lt 20 ]; }; do
	vm-detach-hostdev -q hot "$card" || fail "detach"
	lose $((at + n)) vm-attach-hostdev -q hot "$card"
	case $status in
	0) want=with given=$((given + 1)) ;;
	*) want=without ;;
	esac
	isnt "$status" 12 "call $n of the answer fails: there is no doubt"
	is "$(state | diff "$T/$want" - | head -n 5)" "" "and all is as the status says ($want)"
	[ "$want" = with ] || vm-attach-hostdev -q hot "$card" || fail "attach"
done
isnt "$given" 0 "QEMU had taken it: that is success"

calls vm-detach-hostdev -q hot "$card"
vm-attach-hostdev -q hot "$card"
for n in 0 1 2 3 4; do
	lose $((at + n)) vm-detach-hostdev -q --wait=60 hot "$card"
	is "$status" 0 "call $n of the answer fails: it is asked again"
	is "$(state | diff "$T/without" - | head -n 5)" "" "and it is gone"
	vm-attach-hostdev -q hot "$card" || fail "attach"
done

# ---- killed between the running guest and its definition ----
vm-detach-hostdev -q hot "$card"
xml=$VM_ROOT/etc/vm/qemu/hot.xml
in_both() { grep -c "bus='0x01' slot='0x00' function='0x0'/>" "$xml" "$run/hot/live.xml" | grep -c ':[1-9]'; }
calls vm-attach-hostdev -q --persistent hot "$card"
is "$(in_both)" 2 "attached to both"
# live.xml, record, then the definition
third=$(awk -v from="$at" '$1 > from && $3 == "renameat" { if (++n == 3) print $1 }' "$T/calls")
vm-detach-hostdev -q --persistent hot "$card"
is "$(in_both)" 0 "taken from both"
# likewise: the place between the two is looked for
for before in 4 7 2 10 13 16; do
	"$VM_BUILD/tests/fault" kill "$((third - before))" -- vm-attach-hostdev -q --persistent hot "$card" >/dev/null 2>&1
	killed=$?
	[ "$(in_both)" -ne 1 ] || break
	vm-repair -q hot
	vm-detach-hostdev -q --persistent --if-needed hot "$card" || fail "detach"
done
isnt "$killed" 0 "killed $before calls before the last of three renames"
is "$(in_both)" 1 "the running guest has it, its definition not"
status_is 0 vm-repair hot
is "$(in_both)" 2 "vm-repair: both have it"
is "$(ls "$run/hot" | grep define)" "" "and nothing waits"
calls vm-detach-hostdev -q --persistent hot "$card"
vm-attach-hostdev -q --persistent hot "$card"
"$VM_BUILD/tests/fault" kill "$((at + 4))" -- vm-detach-hostdev -q --persistent hot "$card" >/dev/null 2>&1
isnt "$?" 0 "a detach is killed right after it asked"
status_is 0 vm-repair hot
released() { [ "$(in_both)" -eq 0 ]; }
wait_for 20 "neither has it" released
status_is 0 vm-destroy hot
umount "$VM_SYSROOT"
leftovers "nothing is left"
done_testing
