#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# linux.sh DIRECTORY: makes DIRECTORY/vmlinuz and DIRECTORY/initrd, a Linux guest that boots without a disk,
# speaks the test guest's protocol on ttyS0 and has the virtio drivers and, if it is in the cache, QEMU's agent. Cached; status 3 when the kernel
# (scripts/setup unpacks it) or busybox is missing. Kernel command line: console=ttyS0 quiet
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: linux.sh DIRECTORY}
cache=${VM_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vm-utils}
kernel=$cache/kernel-cloud-amd64
busybox=$(command -v busybox || true)
agent=$cache/guest-agent/usr/sbin/qemu-ga

if [ ! -e "$kernel/.complete" ] || [ -z "$busybox" ]; then
	echo "linux.sh: no kernel in $kernel or no busybox; run scripts/setup" >&2
	exit 3
fi
set -- "$kernel"/lib/modules/*
version=${1##*/}
stamp="$version $(cksum <"$here/linux.sh") $(cksum <"$here/linux-init") $(cksum <"$agent" 2>/dev/null || true)"
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9
if [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi

work=$out/work
rm -rf "$work" "$out/stamp"
mkdir -p "$work/bin" "$work/dev" "$work/proc" "$work/sys" "$work/tmp" "$work/lib/modules/$version"
cp "$busybox" "$work/bin/busybox"
cp "$here/linux-init" "$work/init"
chmod 755 "$work/init"
if [ -e "$agent" ]; then
	mkdir -p "$work/usr/sbin" "$work/lib64"
	cp "$agent" "$work/usr/sbin/qemu-ga"
	ldd "$agent" | sed -n 's|^[^/]*\(/[^ ]*\) (0x.*|\1|p' | while read -r library; do
		case $library in
		*/ld-linux*) cp -L "$library" "$work/lib64/" ;;
		*) cp -L "$library" "$work/lib/" ;;
		esac
	done
fi
for module in button evdev ahci ata_piix sd_mod sr_mod cdrom virtio_pci virtio_blk virtio_scsi virtio_net \
	virtio_balloon virtio_console virtio-rng virtio_mem virtio_input virtiofs vmw_vsock_virtio_transport \
	e1000 e1000e isofs vfat xhci-pci usb-storage usbhid; do
	echo "$module"
done >"$work/modules"

# the wanted modules and what they need
: >"$work/order"
while read -r module; do
	/sbin/modprobe -d "$kernel" -S "$version" --show-depends "$module" 2>/dev/null |
		sed -n 's/^insmod \([^ ]*\).*/\1/p' >>"$work/order" || true
done <"$work/modules"
awk '!seen[$0]++' "$work/order" | while read -r file; do
	cp "$file" "$work/lib/modules/${file##*/}"
	echo "/lib/modules/${file##*/}"
done >"$work/order.new"
mv "$work/order.new" "$work/order"
rmdir "$work/lib/modules/$version"
rm "$work/modules"

(cd "$work" && find . | LC_ALL=C sort | cpio -o -H newc --owner=0:0 --quiet) | gzip -1 >"$out/initrd.new"
mv "$out/initrd.new" "$out/initrd"
cp "$kernel/boot/vmlinuz-$version" "$out/vmlinuz"
rm -rf "$work"
echo "$stamp" >"$out/stamp"
