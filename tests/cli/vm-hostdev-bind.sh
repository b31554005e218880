# SPDX-License-Identifier: LGPL-2.1-or-later
# What vm-hostdev-bind, -unbind and -reset say; what they do is in live/hostdev-bind.
. "$(dirname "$0")/../tap.sh"
needs vm-hostdev-bind vm-hostdev-unbind vm-hostdev-reset
"$VM_BUILD/tests/fake-sysfs" "$T/host" <"$VM_TEST_DATA/hosts/pci"
VM_SYSROOT=$T/host
export VM_SYSROOT
for program in vm-hostdev-bind vm-hostdev-unbind vm-hostdev-reset; do
	golden "$program-help" "$program" --help
	golden "$program-none" "$program"
	golden "$program-unknown" "$program" 0000:99:00.0
	golden "$program-bad" "$program" web1 --json
	golden "$program-bridge" "$program" 0001:00:00.0
	golden "$program-dry" "$program" --dry-run -v 0000:02:00.0
done
golden unbind-dry-ready vm-hostdev-unbind --dry-run 0005:90:01.0
golden bind-mounted vm-hostdev-bind --json 0000:01:00.0
golden bind-two vm-hostdev-bind 0000:01:00.0 0000:00:01.0
golden bind-usb vm-hostdev-bind usb:1-1
rm -r "$VM_SYSROOT/sys/kernel/iommu_groups"
golden bind-no-iommu vm-hostdev-bind 0000:02:00.0
done_testing
