# SPDX-License-Identifier: LGPL-2.1-or-later
# What vm-attach-hostdev and vm-detach-hostdev say, and what they write into definitions; what they do to guests that run is in
# live/hotplug and host/hotplug.
. "$(dirname "$0")/../tap.sh"
needs vm-attach-hostdev vm-detach-hostdev vm-define
"$VM_BUILD/tests/fake-sysfs" "$T/host" <"$VM_TEST_DATA/hosts/pci"
VM_SYSROOT=$T/host
export VM_SYSROOT
mdev=53764d0e-85a0-42b4-af5c-2046b460b1dc
for program in vm-attach-hostdev vm-detach-hostdev; do
	golden "$program-help" "$program" --help
	golden "$program-none" "$program" web1
	golden "$program-no-guest" "$program" nobody 0000:02:00.0
	golden "$program-both" "$program" --current --live web1 0000:02:00.0
done

# ---- as documents ----
golden xml-pci vm-attach-hostdev --print-xml web1 0000:02:00.0
golden xml-virsh vm-attach-hostdev --print-xml --managed=no web1 pci_0000_02_00_0
golden xml-how vm-attach-hostdev --print-xml --address=0000:03:00.0 --alias=ua-a --boot-order=2 --rom=/x/y.rom web1 02:00.0
golden xml-rom-off vm-attach-hostdev --print-xml --rom=off web1 02:00.0
golden xml-usb vm-attach-hostdev --print-xml web1 usb:1-1.5 usb:18d1:4e22
golden xml-usb-several vm-attach-hostdev --print-xml web1 usb:046d:c52b
golden xml-usb-serial vm-attach-hostdev --print-xml web1 usb:046d:c52b:B2
golden xml-scsi vm-attach-hostdev --print-xml web1 scsi:0:0:0:0
golden xml-mdev vm-attach-hostdev --print-xml --json web1 "mdev:$mdev"
golden xml-siblings vm-attach-hostdev --print-xml --siblings web1 0001:01:00.0
"$VM_BUILD/tests/fake-sysfs" "$T/mdevs" <"$VM_TEST_DATA/hosts/mdev"
for what in mtty mdev:90c6c135-ad44-41d0-b1b7-bae47de48627 mdev:4f3a0b2c-0000-4000-8000-000000000001 mdev:4f3a0b2c-0000-4000-8000-000000000002 \
	mdev:4f3a0b2c-0000-4000-8000-000000000003; do
	VM_SYSROOT=$T/mdevs golden "bad-mdev-${what##*-}" vm-attach-hostdev --print-xml web1 "$what"
done
golden bad-name vm-attach-hostdev --print-xml web1 web2
golden bad-managed vm-attach-hostdev --managed=maybe web1 0000:02:00.0
golden bad-rom vm-attach-hostdev --print-xml --rom=y.rom web1 0000:02:00.0
golden bad-address vm-attach-hostdev --print-xml --address=here web1 0000:02:00.0
golden bad-alias vm-attach-hostdev --print-xml --alias=hostdev0 web1 0000:02:00.0
golden bad-usb-managed vm-attach-hostdev --print-xml --managed=yes web1 usb:1-1.5
golden one-only vm-attach-hostdev --print-xml --alias=ua-a web1 0000:02:00.0 0000:01:00.0
printf '<rng/>\n' >"$T/rng.xml"
run vm-attach-hostdev --print-xml web1 "$T/rng.xml"
is "$status" 6 "a document of something else"
err_like "rng.xml:1:1: <hostdev>, <interface type='hostdev'> or <disk type='nvme'> was expected, not <rng>"

# ---- in a definition ----
guest_xml web1 "<controller type='usb' index='0' model='qemu-xhci'/><!-- mine -->" | sed "/model='none'.>/{/usb/d}" >"$T/web1.xml"
ok "define" vm-define -q "$T/web1.xml"
file=$VM_ROOT/etc/vm/qemu/web1.xml
cp "$file" "$T/before.xml"
golden attach vm-attach-hostdev web1 0000:02:00.0
golden taken-address vm-attach-hostdev --address=0000:01:00.0 web1 0000:03:00.0
golden taken-bridge vm-attach-hostdev web1 0000:00:00.0
printf "<hostdev type='pci' managed='yes'><source><address bus='3' slot='0' function='0'/></source><address type='usb' bus='0' port='1'/></hostdev>" >"$T/place.xml"
golden taken-kind vm-attach-hostdev web1 "$T/place.xml"
golden attach-json vm-attach-hostdev --json --config web1 usb:1-1.5
golden attach-again vm-attach-hostdev web1 0000:02:00.0
golden attach-if-needed vm-attach-hostdev --json --if-needed web1 0000:02:00.0
golden attach-live vm-attach-hostdev --live web1 0000:02:00.0
golden attach-dry vm-attach-hostdev --dry-run --config web1 0000:03:00.0
# what a run calls a device is that run's: only what the admin calls one is kept
printf "<hostdev type='pci' managed='yes'><source><address bus='3' slot='0' function='0'/></source><alias name='%s'/></hostdev>" hostdev0 >"$T/alias.xml"
status_is 0 vm-attach-hostdev web1 "$T/alias.xml"
unlike "$(cat "$file")" hostdev0 "an alias of a run is not kept"
status_is 0 vm-detach-hostdev web1 "$T/alias.xml"
printf "<hostdev mode='subsystem' type='mdev' model='vfio-pci'>\n  <!-- kept -->\n  <source><address uuid='$mdev'/></source>\n</hostdev>\n" >"$T/mdev.xml"
golden_filter() { sed "s|$T|T|g"; }
golden attach-file vm-attach-hostdev web1 "$T/mdev.xml"
ok "comments of the file are kept" grep -q '<!-- kept -->' "$file"
status_is 0 sh -c "vm-attach-hostdev web1 - <'$T/mdev.xml' || vm-detach-hostdev -q web1 mdev:$mdev && vm-attach-hostdev web1 - <'$T/mdev.xml'"
is "$(grep -c '<hostdev' "$file")" 3 "three devices"
for namespace in 1 2; do
	echo "<disk type='nvme' device='disk'><driver name='qemu' type='raw'/><source type='pci' managed='yes' namespace='$namespace'><address domain='0' bus='2' slot='0' function='0'/></source><target dev='vd$namespace' bus='virtio'/></disk>" | sed 's/vd1/vda/; s/vd2/vdb/' >"$T/nvme$namespace.xml"
done
golden nvme-xml vm-attach-hostdev --print-xml web1 "$T/nvme1.xml"
golden nvme-how vm-attach-hostdev --print-xml --alias=ua-a web1 "$T/nvme1.xml"
golden nvme-whole vm-attach-hostdev web1 "$T/nvme1.xml"
golden nvme-detach-whole vm-detach-hostdev web1 "$T/nvme1.xml"
golden detach vm-detach-hostdev web1 0000:02:00.0
golden nvme-dry vm-attach-hostdev --dry-run web1 "$T/nvme1.xml"
golden nvme-json vm-attach-hostdev --json web1 "$T/nvme1.xml" "$T/nvme2.xml"
golden nvme-again vm-attach-hostdev web1 "$T/nvme1.xml"
golden nvme-if-needed vm-attach-hostdev --if-needed --json web1 "$T/nvme1.xml" "$T/nvme2.xml"
golden nvme-several vm-detach-hostdev web1 0000:02:00.0
golden nvme-detach vm-detach-hostdev --json web1 "$T/nvme1.xml"
golden nvme-last vm-detach-hostdev web1 0000:02:00.0
golden detach-again vm-detach-hostdev web1 0000:02:00.0
golden detach-if-needed vm-detach-hostdev --if-needed web1 0000:02:00.0
golden detach-file vm-detach-hostdev --json web1 "$T/mdev.xml"
# it need not be plugged in any more
rm -r "$VM_SYSROOT/sys/bus/usb"
status_is 0 vm-detach-hostdev web1 usb:046d:c52b
grep -v "model='pcie-root-port'\|^      <address type='pci' .*multifunction\|<model name='pcie-root-port'\|<target chassis" "$file" >/dev/null
is "$(grep -c '<hostdev' "$file")" 0 "none is left"
ok "the admin's comment stays" grep -q '<!-- mine -->' "$file"
done_testing
