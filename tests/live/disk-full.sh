# SPDX-License-Identifier: LGPL-2.1-or-later
# On a full disk a start fails whole, and a guest that runs can be stopped and destroyed.
. "$(dirname "$0")/../tap.sh"
needs vm-start vm-destroy vm-shutdown vm-define vm-info
root_needed

mkdir "$T/small"
mount -t tmpfs -o size=2m,mode=755 none "$T/small" 2>/dev/null || skip_all "no right to mount"
at_exit "umount -l '$T/small'"
VM_ROOT=$T/small
export VM_ROOT
VM_TEST_SERIAL=pipe
define() { guest_xml "$@" >"$T/$1.xml" && vm-define -q "$T/$1.xml"; }
fill() { dd if=/dev/zero of="$T/small/fill" bs=4k 2>/dev/null; sync; ! printf x 2>/dev/null >"$T/small/more"; }
room() { rm -f "$T/small/fill" "$T/small/more"; }
state_is() { [ "$(vm-info --get=state "$1")" = "$2" ]; }
tell() { timeout 5 sh -c 'printf "%s\n" "$2" >"$1"' sh "$T/$1.serial.in" "$2"; }
run_dir=$VM_ROOT/run/vm/qemu

define g
vm-start -q g && vm-destroy -q g # QEMU's abilities are cached, the directories are there

ok "the disk is full" fill
status_is 14 vm-start g
err_like 'No space left'
ok "the start left no run directory" test ! -e "$run_dir/g/record"
ok "it is off" state_is g shutoff
room

vm-start -q g
ok "the disk is full" fill
status_is 0 vm-suspend g
err_like 'vm-suspend: .*not on record: .*No space left'
status_is 0 vm-resume g
status_is 0 vm-destroy g
ok "off" state_is g shutoff
ok "run directory" test ! -e "$run_dir/g"
room

: >"$T/g.console"
vm-start -q g
wait_for 10 "boots" guest_says g '^vm-test-guest ready'
ok "the disk is full" fill
status_is 0 vm-shutdown --wait=20 g
ok "off" state_is g shutoff
ok "run directory" test ! -e "$run_dir/g"
room

: >"$T/g.console"
vm-start -q g
wait_for 10 "boots" guest_says g '^vm-test-guest ready'
fill
tell g poweroff
wait_for 10 "the watcher clears up on a full disk" test ! -e "$run_dir/g"
ok "off" state_is g shutoff
room
vm-start -q --no-watch g
fill
status_is 0 vm-destroy g
room
leftovers
done_testing
