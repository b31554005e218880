# SPDX-License-Identifier: LGPL-2.1-or-later
# A host with PCI devices that can be given to guests that run, where there are none: a recorded sysfs with a process that plays
# the kernel's rules, nodes below a /dev of this script's own, and a stand-in for VFIO in QEMU. Sourced first, instead of
# tap.sh:  . "$(dirname "$0")/../lib/plug.sh"
#
#   $card $other      two NVMe cards with IOMMU groups of their own; $pair0 $pair1: two functions of one group
#   $PLUG_HOSTS       more machines of tests/data/hosts, beside it; set before, as the next
#   $PLUG_MORE        more lines of that machine, set before; $PLUG_GROUPS: "NAME GROUP" of what else may be opened
#   $PLUG_PLAIN       set: nobody plays the kernel, the files are all there is
#   plug_xml NAME [EXTRA]   guest_xml with free ports, for the stand-in
#   memlock NAME      the limit of locked memory that was set for the guest
#   driver DEVICE     the one it has
#   host_state        prints what of the host an attach changes
#   remember NAME     what of the host and of the guest an attach changes
#   unchanged NAME DESC   it is as it was remembered
if [ -z "${PLUG_INSIDE:-}" ]; then
	PLUG_INSIDE=1
	export PLUG_INSIDE
	exec unshare -m --propagation private sh "$0" "$@"
fi
. "$(dirname "$0")/../tap.sh"
root_needed
[ -c /dev/fuse ] || skip_all "no /dev/fuse"
needs vm-define vm-start vm-attach-hostdev vm-detach-hostdev vm-destroy
chmod 755 "$T"

plug_tree=$T/tree VM_SYSROOT=$T/mnt
export VM_SYSROOT
mkdir "$plug_tree" "$VM_SYSROOT"
{ for plug_host in plug ${PLUG_HOSTS:-}; do cat "$VM_TEST_DATA/hosts/$plug_host"; done; printf '%s\n' "${PLUG_MORE:-}"; } | sed '/^$/d' | "$VM_BUILD/tests/fake-sysfs" "$plug_tree"
if [ -n "${PLUG_PLAIN:-}" ]; then
	mount --bind "$plug_tree" "$VM_SYSROOT"
else
	"$VM_BUILD/tests/fake-kernel" "$plug_tree" "$VM_SYSROOT" || skip_all "FUSE cannot be mounted here"
fi
at_exit 'umount -l "$VM_SYSROOT" 2>/dev/null'

# Nodes that anybody may open and that are in no list of device rules.
mkdir "$T/dev"
mount -t tmpfs -o mode=755 plug "$T/dev"
for plug_node in null zero full random urandom tty fuse kvm; do
	[ ! -e "/dev/$plug_node" ] || cp -a "/dev/$plug_node" "$T/dev/"
done
mkdir "$T/dev/pts" "$T/dev/shm" "$T/dev/vfio" "$T/dev/net"
mknod -m 666 "$T/dev/net/tun" c 10 200
ln -s /proc/self/fd "$T/dev/fd"
mknod -m 666 "$T/dev/ptmx" c 5 2
mount --rbind /dev/pts "$T/dev/pts"
mount --rbind /dev/shm "$T/dev/shm"
mount --move "$T/dev" /dev
mknod -m 666 /dev/vfio/vfio c 10 200
mknod -m 600 /dev/vfio/14 c 10 229
mknod -m 600 /dev/vfio/15 c 10 229
mknod -m 600 /dev/vfio/5 c 10 229

card=0000:01:00.0 other=0000:02:00.0 pair0=0001:01:00.0 pair1=0001:01:00.1
mkdir "$T/bin"
cp "$VM_BUILD/tests/vfio-stand-in" "$VM_BUILD/tests/vfio-stand-in.so" "$T/bin/"
printf '%s\n' "$card 14" "$other 15" "$pair0 5" "$pair1 5" ${PLUG_GROUPS:+"$PLUG_GROUPS"} >"$T/bin/stand-in.groups"
for plug_node in $(printf '%s\n' "${PLUG_GROUPS:-}" | cut -d' ' -f2); do
	[ -e "/dev/vfio/$plug_node" ] || mknod -m 600 "/dev/vfio/$plug_node" c 10 229
done
chmod 644 "$T/bin/stand-in.groups"

. "$VM_SOURCE/tests/lib/limits.sh"
memlock() { cat "$T/limits/$(vm-info --get=pid "$1")" 2>/dev/null; } # of a guest, if it was changed

plug_ports="<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-root-port'/><controller type='pci' index='3' model='pcie-root-port'/>"
plug_xml() {
	guest_xml "$1" "$plug_ports${2:-}" | sed "s|/usr/bin/qemu-system-x86_64|$T/bin/vfio-stand-in|"
}
host_state() {
	(cd "$plug_tree" && find . -path ./ctl -prune -o -type l -printf '%p -> %l\n' -o -type f \( -name driver_override -o -name d3cold_allowed -o -name control \) -print -exec cat {} \; -o -print | sort)
	devices_held
}
driver() { basename "$(readlink "$VM_SYSROOT/sys/bus/pci/devices/$1/driver")" 2>/dev/null; }
tab=$(printf '\t')
plug_state() {
	host_state
	vm-cgroup "$1" devices
	(cd "$VM_ROOT/run/vm/qemu/$1" &&
		find . -name events.jsonl -o -name status -o -name '*.console' -o -printf '%p %y\n' | sort &&
		cat live.xml && sort record)
	cat "$VM_ROOT/etc/vm/qemu/$1.xml"
}
remember() { plug_state "$1" >"$T/before"; }
unchanged() {
	plug_state "$1" >"$T/after"
	is "$(diff "$T/before" "$T/after" | head -n 8)" "" "$2"
}
