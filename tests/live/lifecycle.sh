# SPDX-License-Identifier: LGPL-2.1-or-later
# What a guest's own power-off, reboot and crash lead to, by its policies.
. "$(dirname "$0")/../tap.sh"
needs vm-start vm-destroy vm-reboot vm-reset vm-define vm-info vm-list
VM_TEST_SERIAL=pipe

panic="<panic model='isa'/>"
# define NAME ON_POWEROFF ON_REBOOT ON_CRASH
define() {
	guest_xml "$1" "$panic" | sed -e "s|<on_poweroff>.*</on_poweroff>|<on_poweroff>$2</on_poweroff>|" \
		-e "s|<on_reboot>.*</on_reboot>|<on_reboot>$3</on_reboot>|" \
		-e "s|<on_crash>.*</on_crash>|<on_crash>$4</on_crash>|" >"$T/$1.xml"
	vm-define -q "$T/$1.xml"
}
# a pipe without a reader would hold up the test
tell() { timeout 5 sh -c 'printf "%s\n" "$2" >"$1"' sh "$T/$1.serial.in" "$2"; }
boots() { grep -c '^vm-test-guest ready' "$T/$1.console"; }
booted() { [ "$(boots "$1")" -ge "$2" ]; }
state_is() { [ "$(vm-info --get=state "$1")" = "$2" ]; }
reason_is() { [ "$(vm-info --get=reason "$1")" = "$2" ]; }
begin() {
	define "$@"
	: >"$T/$1.console"
	ok "$1: starts" vm-start -q "$1"
	wait_for 10 "$1: boots" booted "$1" 1
	pid=$(vm-info --get=pid "$1")
}
same_process() { is "$(vm-info --get=pid "$1")" "$pid" "$1: in the same process"; }

# ---- destroy, restart, destroy: as libvirt's defaults ----
begin d destroy restart destroy
tell d reboot
wait_for 10 "on_reboot=restart: it boots again" booted d 2
same_process d
tell d triple-fault
wait_for 10 "so it does after a triple fault" booted d 3
tell d poweroff
wait_for 5 "on_poweroff=destroy: off" state_is d shutoff
ok "its reason" reason_is d shutdown
ok "starts again" vm-start -q d
wait_for 10 "boots" booted d 4
tell d panic
wait_for 5 "on_crash=destroy: off" state_is d shutoff
ok "its reason" reason_is d panicked

# ---- the other way round ----
begin r restart destroy restart
tell r poweroff
wait_for 10 "on_poweroff=restart: it boots again" booted r 2
same_process r
ok "it runs" state_is r running
tell r panic
wait_for 10 "on_crash=restart: it boots again" booted r 3
same_process r
wait_for 5 "it runs" state_is r running
sleep 5.5 # firmware's own resets after a restart are forgiven for 5 s
# ... also if those of the restart before end while QEMU has not come to this one yet.
tell r poweroff
wait_for 10 "it boots again" booted r 4
tell r panic
wait_for 5 "it crashes" state_is r crashed
kill -STOP "$pid"
sleep 6
kill -CONT "$pid"
wait_for 10 "a slow restart is one, too" booted r 5
same_process r
sleep 5.5
tell r reboot
wait_for 5 "on_reboot=destroy: off" state_is r shutoff

# ---- preserve ----
begin p preserve preserve preserve
tell p panic
wait_for 5 "on_crash=preserve: it stays" state_is p crashed
ok "its reason" reason_is p panicked
status_is 10 vm-resume p
err_like 'has ended'
status_is 0 vm-reset p
vm-destroy -q p
begin p preserve preserve preserve
tell p poweroff
wait_for 5 "on_poweroff=preserve: it stays" state_is p paused
ok "its reason" reason_is p shutdown
vm-destroy -q p
begin p preserve preserve preserve
tell p reboot
wait_for 5 "on_reboot=preserve: it stays" state_is p paused
vm-destroy -q p
ok "its reason" reason_is p destroyed

# ---- one of each ----
begin m destroy preserve destroy
tell m poweroff
wait_for 5 "on_poweroff=destroy beside on_reboot=preserve: off" state_is m shutoff

# ---- vm-reboot, vm-reset ----
begin b destroy restart destroy
status_is 0 vm-reboot b
out_is "b: asked to reboot"
wait_for 10 "it boots again" booted b 2
same_process b
ok "it runs" state_is b running
status_is 0 vm-reset b
wait_for 10 "a reset boots it again" booted b 3
same_process b
# a reboot that was ignored does not turn a later shutdown into one
tell b "ignore-button on"
tell b "echo deaf"
wait_for 20 "it ignores the button" guest_says b '^deaf'
status_is 0 vm-reboot b
wait_for 20 "it hears the button" guest_says b '^power button'
tell b "ignore-button off"
tell b "echo hearing"
wait_for 20 "it listens again" guest_says b '^hearing'
status_is 0 vm-shutdown --wait=20 b
ok "it is off" state_is b shutoff
is "$(boots b)" 3 "and did not boot again"

# ---- a guest that was not ready for its power button is asked again ----
begin e destroy restart destroy
tell e "ignore-button on"
tell e "echo deaf"
wait_for 20 "it ignores the button" guest_says e '^deaf'
vm-shutdown --wait=60 e >/dev/null &
waiter=$!
wait_for 20 "it hears the button" guest_says e '^power button'
tell e "ignore-button off"
wait $waiter
is $? 0 "and hears it again"
ok "it is off" state_is e shutoff

# ---- core dumps ----
dumps() { ls "$VM_ROOT/var/lib/vm/qemu/$1/dump" 2>/dev/null | wc -l; }
begin c destroy restart coredump-restart
tell c panic
wait_for 20 "on_crash=coredump-restart: it boots again" booted c 2
same_process c
is "$(dumps c)" 1 "with a dump"
ok "which is a core file" sh -c 'head -c 4 "$1"/*.core | grep -q ELF' sh "$VM_ROOT/var/lib/vm/qemu/c/dump"
is "$(stat -c %a "$VM_ROOT"/var/lib/vm/qemu/c/dump/*.core)" 600 "for root alone"
for n in 3 4; do
	sleep 1
	tell c panic
	wait_for 20 "again" booted c "$n"
done
is "$(dumps c)" 2 "the newest two are kept"
vm-destroy -q c
begin cd destroy restart coredump-destroy
tell cd panic
wait_for 20 "on_crash=coredump-destroy: off" state_is cd shutoff
is "$(dumps cd)" 1 "with a dump"

# ---- restart, again and again ----
begin l restart restart restart
for n in 2 3 4; do
	tell l poweroff
	wait_for 10 "restart $n" booted l "$n"
done
ok "it runs" state_is l running
ok "the log tells" grep -q 'restarting the guest' "$VM_ROOT/var/log/vm/qemu/l.log"
vm-destroy -q l
leftovers
done_testing
