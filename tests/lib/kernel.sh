# SPDX-License-Identifier: LGPL-2.1-or-later
# A recorded host with a process that plays the kernel's rules on it. Sourced after tap.sh: root and FUSE are needed.
#
#   $tree $VM_SYSROOT $ctl   what there is; what programs are shown; what the kernel is told to do, and its log
#   host_rows                adds rows of tests/lib/fake-sysfs.c (standard input) to it
#   host_begin               plays from now on; what there is then is what "unchanged" compares with
#   snapshot_more            overridden: prints what else is to be as it was
#   records, log             what programs noted of devices; what they asked the kernel for
#   as_before DESC           the host is as it was and no record is left; else that is a failure, and false
root_needed
[ -c /dev/fuse ] || skip_all "no /dev/fuse"
tree=$T/tree VM_SYSROOT=$T/mnt ctl=$T/tree/ctl
export VM_SYSROOT
mkdir "$tree" "$VM_SYSROOT"
host_rows() { "$VM_BUILD/tests/fake-sysfs" "$tree"; }
host_begin() {
	"$VM_BUILD/tests/fake-kernel" "$tree" "$VM_SYSROOT" || skip_all "FUSE cannot be mounted here"
	at_exit 'umount -l "$VM_SYSROOT" 2>/dev/null'
	snapshot >"$T/before"
}
# Every link and every file of the tree; the files that a test controls apart.
snapshot() {
	(cd "$tree" && find . -path ./ctl -prune -o -type l -printf '%p -> %l\n' -o -type f -name driver_override -print -exec cat {} \; -o -print | sort)
	snapshot_more
}
snapshot_more() { :; }
records() { ls "$VM_ROOT/run/vm/hostdev" 2>/dev/null | grep -v lock; }
log() { cat "$ctl/log"; }
unchanged() { # DESC
	is "$(snapshot | diff "$T/before" - | head -n 5)" "" "$1: the host is as it was"
	is "$(records)" "" "$1: no record is left"
}
as_before() {
	snapshot | cmp -s "$T/before" - && [ -z "$(records)" ] && return
	fail "$1: the host is as it was"
	diag "$(snapshot | diff "$T/before" -; records)"
	return 1
}
