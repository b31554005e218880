# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-hostdev-list and vm-hostdev-info on machines that are described in tests/data/hosts: their forms, what keeps
# a device from a guest and what to do about it, and that they only look.
. "$(dirname "$0")/../tap.sh"
needs vm-hostdev-list vm-hostdev-info

host=$T/host
"$VM_BUILD/tests/fake-sysfs" "$host" <"$VM_TEST_DATA/hosts/pci"
list() { vm-hostdev-list --sysroot="$host" "$@"; }
info() { vm-hostdev-info --sysroot="$host" "$@"; }

golden help vm-hostdev-list --help
golden plain list
golden json list --json
golden table list --table
golden tree list --tree
golden kinds list --kind=usb,scsi,mdev
golden kinds-virsh list --kind=usb_device,mdev_types
golden states list --state=ready,host
golden group list --group=5
golden driver list --driver=i915
golden bad-state list --state=free
golden bad-kind list --kind=pcie
golden operand list 0000:01:00.0
golden quiet list --quiet
golden no-sysroot vm-hostdev-list --sysroot="/nonexistent"

golden info-help vm-hostdev-info --help
golden info-host info 0000:00:01.0
golden info-mounted info pci_0000_01_00_0
golden info-sibling info 0001:01:00.1
golden info-viable info 0005:90:01.1
golden info-bridge info 0001:00:00.0
golden info-vf info 06:12.2
golden info-no-group info 03:00.0
golden info-json info 0001:01:00.0 --json
golden info-usb-port info usb:1-1
golden info-usb-hub info usb:usb1 --get=device,driver,problem
golden info-usb-place info usb:001:005
golden info-usb-id info usb:18d1:4e22
golden info-usb-serial info usb:046d:c52b:B2 --json
golden info-usb-several info usb:046d:c52b
golden info-usb-none info usb:046d:beef
golden info-scsi info scsi:0:0:0:0
golden info-scsi-no-sg info scsi:0:0:1:0
golden info-mdev info mdev:53764D0E-85A0-42B4-AF5C-2046B460B1DC
golden info-none info 0000:99:00.0
golden info-bad info 0000:01:20.0
golden info-bad-json info --json usb:1
golden info-get info 0000:00:01.0 --get=driver,group,state
golden info-get-several info 0005:90:01.1 --get=group_member,group
golden info-get-none info 0000:02:00.0 --get=problem,process
golden info-get-json info 0000:02:00.0 --get=problem --json
golden info-get-no-key info 0000:02:00.0 --get=problems
# every name that is listed is one
bad=
for name in $(list | cut -f1); do info "$name" >/dev/null 2>&1 || bad="$bad $name"; done
is "$bad" "" "what is listed can be asked for"

# one that fell off its bus, and a virtual function, whose vendor and device alone are ones
head -c 256 /dev/zero | tr '\0' '\377' >"$host/sys/bus/pci/devices/0000:0a:01.0/config"
golden info-dead info 0000:0a:01.0 --get=state,assignable,problem
printf '\377\377\377\377' | dd of="$host/sys/bus/pci/devices/0000:06:12.1/config" conv=notrunc 2>/dev/null
golden info-vf-ones info 0000:06:12.1 --get=state,assignable,problem
cp "$host/sys/bus/pci/devices/0000:00:03.0/config" "$T/config"
head -c 20 /dev/zero >"$host/sys/bus/pci/devices/0000:00:03.0/config"
golden info-short info 0000:00:03.0 --get=state,group,problem
cp "$T/config" "$host/sys/bus/pci/devices/0000:00:03.0/config"

golden doctor vm-doctor --sysroot="$host" hostdev

# ---- hosts that cannot ----
rm -r "$host/sys/kernel/iommu_groups"
golden no-iommu info 0000:00:01.0 --get=state
golden no-iommu-why info 0000:00:01.0
list --state=host >"$T/out"
is "$(grep -c '^0' "$T/out")" 0 "without IOMMU no PCI device is assignable"

# ---- who has it ----
mkdir "$T/two"
"$VM_BUILD/tests/fake-sysfs" "$T/two" <"$VM_TEST_DATA/hosts/pci"
mkdir -p "$VM_ROOT/run/vm/claims" "$VM_ROOT/run/vm/hostdev" "$VM_ROOT/run/vm/qemu"
printf 'vm-claim 1\nuser=qemu/web1\nmode=exclusive\nwhat=\n' >"$VM_ROOT/run/vm/claims/pci:0005:90:01.0"
printf 'vm-hostdev 1\ndevice=0005:90:01.0\nphase=taken\nuser=qemu/web1\nalias=hostdev0\n' \
	>"$VM_ROOT/run/vm/hostdev/pci:0005:90:01.0"
printf 'vm-hostdev 1\ndevice=0000:06:12.2\nphase=stuck\n' >"$VM_ROOT/run/vm/hostdev/pci:0000:06:12.2"
# what hangs on a device, and is a guest's
for claim in usb:1-1.5 block:8:0 pci:0000:06:12.1; do
	printf 'vm-claim 1\nuser=qemu/web2\nmode=exclusive\nwhat=\n' >"$VM_ROOT/run/vm/claims/$claim"
done
printf nonsense >"$VM_ROOT/run/vm/claims/usb:1-1.6"
before=$(find "$VM_ROOT" "$T/two" | sort | xargs -d '\n' stat -c '%n %Y %s' | md5sum)
golden assigned env VM_SYSROOT="$T/two" vm-hostdev-list --state=assigned,stuck
golden assigned-guest env VM_SYSROOT="$T/two" vm-hostdev-list --guest=web1 --json
golden assigned-no-guest env VM_SYSROOT="$T/two" vm-hostdev-list --guest=nosuch
golden assigned-usb-controller env VM_SYSROOT="$T/two" vm-hostdev-info --get=state,problem 0000:00:03.0
golden assigned-disk env VM_SYSROOT="$T/two" vm-hostdev-info --get=state,problem scsi:0:0:0:0
golden assigned-vf env VM_SYSROOT="$T/two" vm-hostdev-info --get=state,problem 0000:06:12.0
golden assigned-itself env VM_SYSROOT="$T/two" vm-hostdev-info --get=state,guest,problem usb:1-1.5
golden assigned-sibling env VM_SYSROOT="$T/two" vm-hostdev-info 0005:90:01.1
is "$(find "$VM_ROOT" "$T/two" | sort | xargs -d '\n' stat -c '%n %Y %s' | md5sum)" "$before" "looking changes nothing"

# ---- file systems that are not on one block device ----
"$VM_BUILD/tests/fake-sysfs" "$T/many" <<'END'
driver vfio-pci
dir dev/vfio
file dev/vfio/vfio
pci 0000:01:00.0 1cc1:8201 010802 group=14 driver=nvme
pci 0000:02:00.0 1cc1:8201 010802 group=15 driver=nvme
pci 0000:03:00.0 1cc1:8201 010802 group=16 driver=nvme
pci 0000:04:00.0 1af4:1009 000200 group=17 driver=virtio-pci
pci 0000:05:00.0 1af4:1009 000200 group=18 driver=virtio-pci
pci 0000:06:00.0 1af4:105a 018000 group=19 driver=virtio-pci
block nvme0n1 259:0 on=0000:01:00.0
block nvme1n1 259:1 on=0000:02:00.0
block nvme2n1 259:2 on=0000:03:00.0
dir proc/self
dir sys/fs/btrfs/features
dir sys/fs/btrfs/0d7a/devices/nvme0n1
dir sys/fs/btrfs/0d7a/devices/nvme1n1
dir sys/bus/virtio/drivers/9pnet_virtio
dir sys/bus/virtio/drivers/virtiofs
END
for at in 4:9pnet_virtio:data 5:9pnet_virtio:spare 6:virtiofs:; do
	n=${at%%:*} at=${at#*:}
	virtio=$T/many/sys/devices/pci0000:0$n/0000:0$n:00.0/virtio$n
	mkdir -p "$virtio"
	[ -z "${at#*:}" ] || printf '%s\n\0' "${at#*:}" >"$virtio/mount_tag"
	ln -s "../../../../devices/pci0000:0$n/0000:0$n:00.0/virtio$n" "$T/many/sys/bus/virtio/drivers/${at%%:*}/"
done
cat >"$T/many/proc/self/mountinfo" <<'END'
20 1 0:30 / /srv rw - btrfs /dev/nvme0n1 rw
21 1 0:31 / /data rw - 9p data rw
22 1 0:32 / /share rw - virtiofs tag rw
23 1 0:33 / /b rw - bcachefs /dev/nvme1n1:/dev/nvme2n1 rw
END
golden many vm-hostdev-list --sysroot="$T/many" --tree

# ---- what makes mediated devices ----
mkdir "$T/three"
host=$T/three
"$VM_BUILD/tests/fake-sysfs" "$host" <"$VM_TEST_DATA/hosts/mdev"
golden parents list
golden parents-tree list --tree
golden parents-kind list --kind=mdev-parent
golden parents-json list --kind=mdev-parent --json
golden info-mdev-ccw info mdev:90c6c135-ad44-41d0-b1b7-bae47de48627
golden info-mdev-new info mdev:4f3a0b2c-0000-4000-8000-000000000002 --get=device_api,state,problem
golden info-mdev-no-api info mdev:4f3a0b2c-0000-4000-8000-000000000003 --get=device_api,state,problem
golden info-parent info mtty
golden info-parent-none-left info 0.0.0313
golden info-parent-pci info 0000:00:02.0
golden info-parent-json info 0000:00:02.0 --json
golden info-parent-driver info matrix --get=kind,driver,mdev_type,assignable
golden info-parent-no-type info nothing
# what is not a number is not said to be one, and what cannot be read is said to be unread
like "$(info odd)" "^mdev_type	odd-1 - vfio-pci -\$" "nobody knows how many"
rm "$host/sys/devices/virtual/odd/odd/mdev_supported_types/odd-2/available_instances"
mkdir "$host/sys/devices/virtual/odd/odd/mdev_supported_types/odd-2/available_instances"
golden info-parent-unread info odd
printf 'vm-claim 1\nuser=qemu/web2\nmode=exclusive\nwhat=\n' >"$VM_ROOT/run/vm/claims/mdev:83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"
like "$(VM_SYSROOT=$host vm-hostdev-info mtty)" "^mdev	mdev:83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 mtty-1 assigned web2\$" "whose those are that it made"

vm-hostdev-list >/dev/full 2>"$T/full"
is "$?" 14 "a full disk under stdout"
for program in vm-hostdev-list vm-hostdev-info; do
	libraries=$(ldd "$VM_BUILD/bin/$program" | sed -n 's/^[[:space:]]*\([^ ]*\) =>.*/\1/p' | grep -vE '^lib(a|t|ub)san|^lib(m|gcc_s|dl|pthread|rt|stdc..)\.so')
	is "$libraries" "libc.so.6" "$program loads libc alone"
done
done_testing
