# SPDX-License-Identifier: LGPL-2.1-or-later
# Starting and ending guests: what happens, what is refused, and that nothing is left over.
. "$(dirname "$0")/../tap.sh"
needs vm-start vm-create vm-destroy vm-shutdown vm-suspend vm-resume vm-define vm-info vm-list

define() { guest_xml "$@" >"$T/$1.xml" && vm-define -q "$T/$1.xml"; }
state() { vm-info --get=state "$1" 2>&1; }
pid_of() { vm-info --get=pid "$1"; }
run_dir=$VM_ROOT/run/vm/qemu

# ---- an ordinary life ----
ok "define" define g1
status_is 0 vm-start g1
out_is "g1: started"
err_is ""
is "$(state g1)" running "it runs when vm-start returns"
is "$(vm-info --get=reason g1)" booted "because it was booted"
ok "its log begins with the command line" grep -q '^-name guest=g1' "$VM_ROOT/var/log/vm/qemu/g1.log"
wait_for 5 "the guest boots" guest_says g1 '^vm-test-guest ready'
status_is 10 vm-start g1
err_is "vm-start: g1: is running already"
status_is 0 vm-start --if-needed g1
out_is "g1: started already"
status_is 0 vm-suspend g1
is "$(state g1)" paused "paused is on record when vm-suspend returns"
is "$(vm-info --get=reason g1)" user "by a user"
status_is 0 vm-suspend g1
out_is "g1: paused already"
status_is 10 vm-shutdown g1
err_like "is not running and hears nothing .*; vm-resume g1"
status_is 0 vm-resume g1
is "$(state g1)" running "running is on record when vm-resume returns"
is "$(vm-info --get=reason g1)" unpaused "because it was unpaused"
status_is 0 vm-shutdown --wait=20 g1
out_is "g1: shut down"
is "$(state g1)" shutoff "off when vm-shutdown --wait returns"
is "$(vm-info --get=reason g1)" shutdown "it shut itself down"
leftovers "nothing is left after a shutdown"
ok "its run directory is gone" test ! -e "$run_dir/g1"
status_is 7 vm-shutdown g1
status_is 0 vm-shutdown --if-needed g1
status_is 7 vm-destroy g1
status_is 0 vm-destroy --if-needed g1

status_is 0 vm-start --paused g1
is "$(state g1)" paused "--paused: it is paused"
status_is 0 vm-destroy g1
out_is "g1: destroyed"
is "$(vm-info --get=reason g1)" destroyed "it was destroyed"
leftovers "nothing is left after a destroy"
ok "its run directory is gone" test ! -e "$run_dir/g1"
status_is 0 vm-start -j g1
out_is '{"schema":"vm-start/1","changed":true,"guests":[{"name":"g1","changed":true}]}'
pid=$(pid_of g1)
kill -SEGV "$pid"
wait_for 5 "a QEMU that crashed is noticed" sh -c '[ "$(vm-info --get=state g1)" = shutoff ]'
is "$(vm-info --get=reason g1)" crashed-signal-11 "and why"
leftovers "nothing is left after a crash"

# ---- --dry-run, --print ----
status_is 0 vm-start --dry-run g1
out_like '^run QEMU$'
err_is ""
ok "nothing was made" test ! -e "$run_dir/g1"
status_is 0 vm-start --print g1
out_like '^ *-name guest=g1'
status_is 5 vm-start nosuch
err_like '^vm-start: nosuch: no such guest'

# ---- what is missing is told before anything is changed ----
disk() { echo "<disk type='file'><driver name='qemu' type='raw'/><source file='$1'/><target dev='vda' bus='virtio'/>$2</disk>"; }
define nodisk "$(disk "$T/none.img" "")"
status_is 5 vm-start nodisk
err_like "^vm-start: nodisk: disk vda: image $T/none.img: No such file"
ok "no run directory" test ! -e "$run_dir/nodisk"
define nobridge "<interface type='bridge'><source bridge='nobr0'/><model type='virtio'/></interface>"
status_is 5 vm-start nobridge
err_like "^vm-start: nobridge: there is no bridge nobr0"
guest_xml noemu | sed 's|/usr/bin/qemu-system-x86_64|/usr/bin/qemu-none|' >"$T/noemu.xml"
vm-define -q "$T/noemu.xml"
status_is 5 vm-start noemu
err_like '^vm-start: noemu: .*/usr/bin/qemu-none'
truncate -s 1M "$T/a.img"
define kvm
sed "s/type='qemu'/type='kvm'/" "$T/kvm.xml" >"$T/kvm2.xml"
if [ -z "$(ls /dev/kvm 2>/dev/null)" ]; then
	vm-define -q "$T/kvm2.xml"
	status_is 5 vm-start kvm
	err_like 'kvm'
fi
leftovers

# ---- images are claimed ----
define a "$(disk "$T/a.img" "")"
define b "$(disk "$T/a.img" "")"
status_is 0 vm-start a
status_is 10 vm-start b
err_like "^vm-start: b: disk vda: .*$T/a.img.* a"
ok "no trace of b" test ! -e "$run_dir/b"
vm-destroy -q a
status_is 0 vm-start b
vm-destroy -q b

# ---- QEMU dies at start: 13 with its own last lines ----
# a header with a feature that no QEMU knows
qemu-img create -q -f qcow2 "$T/bad.img" 1M
printf '\100' | dd of="$T/bad.img" bs=1 seek=72 conv=notrunc status=none
define bad "$(disk "$T/bad.img" "" | sed 's/raw/qcow2/')"
status_is 13 vm-start bad
err_like '^vm-start: bad: QEMU ended while starting \(status 1\): .*(qcow2|magic)'
is "$(state bad)" shutoff "it is off"
is "$(vm-info --get=reason bad)" failed "because its start failed"
leftovers "nothing is left of a start that failed"
ok "no run directory" test ! -e "$run_dir/bad"
ok "QEMU's words are in the log" grep -q 'qcow2' "$VM_ROOT/var/log/vm/qemu/bad.log"

# ---- transient guests ----
guest_xml t1 >"$T/t1.xml"
status_is 0 vm-create "$T/t1.xml"
out_is "t1: started"
is "$(vm-info --get=persistent t1)" no "not persistent"
status_is 10 vm-create "$T/t1.xml"
wait_for 10 "t1 boots" guest_says t1 '^vm-test-guest ready'
status_is 0 vm-shutdown --wait=20 t1
status_is 5 vm-info t1
status_is 10 vm-create "$T/g1.xml"
err_like '^vm-create: g1: is defined; vm-start g1'

# ---- several guests ----
define p1
define p2
define p3
status_is 0 vm-start --parallel=3 p1 p2 p3
out_is "p1: started
p2: started
p3: started"
: >"$T/g1.console"
status_is 10 vm-start --parallel=4 g1 p1 nosuch p2
out_is "g1: started"
err_is "vm-start: p1: is running already
vm-start: nosuch: no such guest; vm-list --all shows those there are
vm-start: p2: is running already" "failures in operand order"
for g in g1 p1 p2 p3; do
	wait_for 10 "$g boots" guest_says "$g" '^vm-test-guest ready'
done
status_is 0 vm-shutdown --all --wait=20
is "$(vm-list)" "" "all are off"
leftovers
done_testing
