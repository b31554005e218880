# SPDX-License-Identifier: LGPL-2.1-or-later
# What the programs say that make and keep host devices; what they do is in live/hostdev-make.
. "$(dirname "$0")/../tap.sh"
programs="vm-hostdev-create vm-hostdev-destroy vm-hostdev-define vm-hostdev-undefine vm-hostdev-start vm-hostdev-autostart"
needs $programs
"$VM_BUILD/tests/fake-sysfs" "$T/host" <"$VM_TEST_DATA/hosts/pci"
VM_SYSROOT=$T/host
export VM_SYSROOT
for program in $programs; do
	golden "$program-help" "$program" --help
	golden "$program-none" "$program"
	golden "$program-bad" "$program" web1 --json
done
for program in vm-hostdev-destroy vm-hostdev-undefine vm-hostdev-start vm-hostdev-autostart; do
	golden "$program-unknown" "$program" mdev:00000000-0000-4000-8000-000000000001 vfs:0000:99:00.0
done
golden create-exclude vm-hostdev-create --vfs=1 --vgpu=2 0000:06:12.0
golden create-attr vm-hostdev-create --mdev=t --attr=x 0000:00:02.0
golden create-no-mdev vm-hostdev-create --vfs=1 --uuid=00000000-0000-4000-8000-000000000001 0000:06:12.0
golden create-dry vm-hostdev-create --dry-run -v --mdev=i915-GVTg_V5_4 --uuid=00000000-0000-4000-8000-000000000001 --attr=a=b,c 0000:00:02.0
golden create-other vm-hostdev-create --mdev=other --uuid=53764d0e-85a0-42b4-af5c-2046b460b1dc 0000:00:02.0
golden create-vfs vm-hostdev-create --vfs=8 0000:06:12.0
golden create-some vm-hostdev-create --vfs=1 0000:06:12.0
golden create-vf vm-hostdev-create --vfs=1 0000:06:12.1
golden create-vgpu vm-hostdev-create --vgpu=x 0000:06:12.1
done_testing
