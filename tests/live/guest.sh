# SPDX-License-Identifier: LGPL-2.1-or-later
# The test guest itself, under bare QEMU: what the other live tests rely on.
. "$(dirname "$0")/../tap.sh"

command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"
[ -e "$VM_TEST_GUEST" ] || skip_all "the test guest is not built"

console=$T/console
says() { grep -q -e "$1" "$console"; }
until_says() {
	tries=100
	until says "$1" || [ $((tries -= 1)) -eq 0 ]; do sleep 0.05; done
}
qmp() { printf '%s\n' "{\"execute\":\"$1\"${2:+,\"arguments\":$2}}"; }

# A device comes, goes and is let go of; the button is ignored first, then obeyed.
script() {
	qmp qmp_capabilities
	until_says 'pci end'
	qmp device_add "{\"driver\":\"virtio-rng-pci\",\"id\":\"rng\",\"bus\":\"$1\"}"
	until_says 'added'
	qmp device_del '{"id":"rng"}'
	until_says 'removed'
	sleep 0.2
	qmp qom-list '{"path":"/machine/peripheral"}'
	qmp system_powerdown
	until_says 'power off'
	sleep 0.3
	qmp quit
}

boot() {
	: >"$console"
	name=$1 bus=$2
	shift 2
	script "$bus" | timeout 20 qemu-system-x86_64 -nodefaults -display none -m 32 \
		-kernel "$VM_TEST_GUEST" -serial "file:$console" -qmp stdio "$@" >"$T/qmp" 2>"$T/qemu.err"
	is "$(cat "$T/qemu.err")" "" "$name: QEMU has nothing to say"
	ok "$name: ready" says '^vm-test-guest ready'
	ok "$name: lists PCI devices" says '^pci 00:00.0 8086:.* class 060000'
	ok "$name: sees a device come" says '^hotplug .* added'
	ok "$name: lets go of a device" grep -q '"DEVICE_DELETED".*"device": "rng"' "$T/qmp"
	ok "$name: hears the power button" says '^power button'
	ok "$name: powers off" grep -q '"SHUTDOWN".*"guest-shutdown"' "$T/qmp"
}

boot "q35, ACPI hotplug" rp1 -M q35,accel=tcg -device pcie-root-port,id=rp1
boot "q35, native hotplug" rp1 -M q35,accel=tcg -device pcie-root-port,id=rp1 \
	-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
boot "pc" pci.0 -M pc,accel=tcg
leftovers
done_testing
