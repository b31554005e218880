# SPDX-License-Identifier: LGPL-2.1-or-later
# The Linux test guest under bare QEMU: what the longer tests rely on.
# timeout: 120
. "$(dirname "$0")/../tap.sh"
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"
linux_needed

console=$T/console
: >"$console"
says() { grep -q -e "$1" "${2:-$console}"; }
until_says() {
	tries=400
	until says "$@" || [ $((tries -= 1)) -eq 0 ]; do sleep 0.1; done
}
qmp() { printf '%s\n' "{\"execute\":\"$1\"${2:+,\"arguments\":$2}}"; }
truncate -s 1M "$T/disk"
{
	qmp qmp_capabilities
	until_says 'pci end'
	qmp device_add '{"driver":"virtio-blk-pci","id":"disk","bus":"rp1","drive":"d"}'
	echo 'sh until ls /sys/block | grep vda; do sleep 1; done' >&3
	until_says 'status 0'
	qmp device_del '{"id":"disk"}'
	until_says DEVICE_DELETED "$T/qmp"
	qmp system_powerdown
	# it ends by itself then, and while it runs it wants a monitor
	until_says SHUTDOWN "$T/qmp"
} 3>"$T/input" | {
	mkfifo "$T/serial.in" "$T/serial.out"
	cat "$T/serial.out" >"$console" &
	tail -f "$T/input" 2>/dev/null >"$T/serial.in" &
	feeder=$!
	timeout 60 qemu-system-x86_64 -M q35,accel=tcg -m 192 -nodefaults -display none -qmp stdio \
		-device pcie-root-port,id=rp1 -kernel "$VM_LINUX_KERNEL" -initrd "$VM_LINUX_INITRD" -append "console=ttyS0 quiet" \
		-drive "file=$T/disk,if=none,id=d,format=raw" -serial "pipe:$T/serial" >"$T/qmp" 2>"$T/qemu.err"
	kill "$feeder"
}
is "$(cat "$T/qemu.err")" "" "QEMU has nothing to say"
ok "ready" says '^vm-test-guest ready'
ok "lists PCI devices" says '^pci 00:00.0 8086:29c0 class 060000'
ok "runs commands and sees a disk come" says '^vda'
ok "lets go of the disk" grep -q '"DEVICE_DELETED".*"device": "disk"' "$T/qmp"
ok "hears the power button" says '^power button'
ok "powers off" grep -q '"SHUTDOWN".*"guest-shutdown"' "$T/qmp"
leftovers
done_testing
