# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 90
# What is on the guest's PCI buses, as the guest itself sees it, is what libvirt 9.0 with QEMU 7.2 gives it from the
# same document: data/pci/NAME.xml and NAME.listing, the latter printed by the test guest under libvirt.
. "$(dirname "$0")/../tap.sh"

needs vm-create vm-destroy
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"
[ -e "$VM_TEST_GUEST" ] || skip_all "the test guest is not built"
chmod 755 "$T"
for disk in vda vdb hda sda; do
	truncate -s 1M "$T/$disk.img"
	chmod 666 "$T/$disk.img"
done

for document in "$VM_TEST_DATA"/pci/*.xml; do
	name=$(basename "$document" .xml)
	: >"$T/$name.console"
	chmod 666 "$T/$name.console"
	sed -e "s|@KERNEL@|$VM_TEST_GUEST|" -e "s|@CONSOLE@|$T/$name.console|" -e "s|@DIR@|$T|" \
		"$document" >"$T/$name.xml"
	status_is 0 vm-create "$T/$name.xml"
	wait_for 20 "$name: lists its devices" guest_says "$name" '^pci end'
	grep '^pci ' "$T/$name.console" >"$T/$name.listing"
	is "$(cat "$T/$name.listing")" "$(cat "$VM_TEST_DATA/pci/$name.listing")" "$name: libvirt's topology"
	status_is 0 vm-destroy "$name"
done
leftovers
done_testing
