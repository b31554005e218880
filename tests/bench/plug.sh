# SPDX-License-Identifier: LGPL-2.1-or-later
# plug.sh ROUNDS FILE: a PCI device plugged into a running guest and out again, beside the same two commands to the same QEMU by
# themselves.  What measure(1) says of add, attach, del, detach and empty goes to FILE.
#
# The host is a recorded one whose files are in memory, the device is on VFIO already: what a driver of the host takes
# to let go is the kernel's time, not ours.
rounds=$1 file=$2
PLUG_PLAIN=1
PLUG_MORE="pci 0000:08:00.0 1cc1:8201 010802 group=40 driver=vfio-pci caps=flr resets=flr"
PLUG_GROUPS="0000:08:00.0 40"
. "$(dirname "$0")/../lib/plug.sh"
# state in memory, as /run is: what is measured is the program, not the disk
VM_ROOT=$(mktemp -d /dev/shm/vmb.XXXXXX)
chmod 755 "$VM_ROOT"
export VM_ROOT
at_exit 'rm -rf "$VM_ROOT"'
at_exit 'vm_test_reap "$VM_ROOT"'
plug_xml bench >"$T/bench.xml"
ok "define" vm-define -q "$T/bench.xml"
ok "start" vm-start -q bench
wait_for 10 "the guest is up" guest_says bench '^pci end'
socket=$VM_ROOT/run/vm/qemu/bench/qmp.sock
attach="vm-attach-hostdev -q --managed=no bench 0000:08:00.0" detach="vm-detach-hostdev -q bench 0000:08:00.0"
qmp=$VM_BUILD/tests/qmp
ok "by hand" "$qmp" "$socket" add bare pci.3
ok "and out" "$qmp" "$socket" del bare
ok "attach" $attach
ok "detach" $detach
"$VM_BUILD/tests/measure" "$rounds" -- empty "" "" "$VM_BUILD/tests/empty" \
	-- add "" "$qmp $socket del bare" "$qmp" "$socket" add bare pci.3 \
	-- attach "" "$detach" $attach \
	-- del "$qmp $socket add bare pci.3" "" "$qmp" "$socket" del bare \
	-- detach "$attach" "" $detach >"$file"
ok "destroy" vm-destroy -q bench
done_testing
