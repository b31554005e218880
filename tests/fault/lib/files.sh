# SPDX-License-Identifier: LGPL-2.1-or-later
# Images whose owners must be what they were, whatever happens to a guest. Sourced after faults.sh.
#
# f_disks    prints the guest's disks: one that is mapped, in a directory that nobody may search; if an overlay can be
#            mounted, another one whose owner must be changed while the guest runs
# f_tuned    adds limits and pins to a document
# f_owners   for f_check: says whose they are, if that is wrong

mkdir -m 0700 "$T/closed"
ln -s closed "$T/link"
truncate -s 1M "$T/closed/a.img"
chown 56:78 "$T/closed/a.img"
chmod 600 "$T/closed/a.img"
mkdir -p "$T/o/l" "$T/o/u" "$T/o/w" "$T/m"
f_changed=
if mount -t overlay -o "lowerdir=$T/o/l,upperdir=$T/o/u,workdir=$T/o/w" none "$T/m" 2>/dev/null; then
	at_exit "umount -l '$T/m'"
	f_changed=$T/m/b.img
	truncate -s 1M "$f_changed"
	chown 12:34 "$f_changed"
	chmod 640 "$f_changed"
else
	diag "no overlay can be mounted: no file whose owner is changed"
fi

# Limits, pins and nodes for the document on standard input, as far as this host can have them.
f_tuned() {
	f_limits="<memtune><hard_limit unit='MiB'>700</hard_limit></memtune>"
	f_pins="<cputune><shares>512</shares><quota>60000</quota><global_period>100000</global_period><global_quota>200000</global_quota><vcpupin vcpu='0' cpuset='0'/><emulatorpin cpuset='0'/></cputune><numatune><memory mode='strict' nodeset='0'/></numatune>"
	grep -q '^cpuset[[:space:]].*1$' /proc/cgroups && grep -q '^memory[[:space:]].*1$' /proc/cgroups || f_limits= f_pins=
	sed -e "s|<vcpu>1|$f_limits<vcpu placement='static'>2|" -e "s|<os>|$f_pins<os>|"
}

f_disk() {
	echo "<disk type='file'><driver name='qemu' type='raw'/><source file='$1'/><target dev='$2' bus='virtio'/></disk>"
}
f_disks() {
	f_disk "$T/link/a.img" vda
	[ -z "$f_changed" ] || f_disk "$f_changed" vdb
}
f_owners() {
	f_is=$(stat -c '%u:%g %a' "$T/closed/a.img")
	# its owner is changed, too, when the kernel refuses to map it, which is one of the faults
	case $f_is:${f_true:-shutoff}:$(f_report_field at) in
	"56:78 600":*) ;;
	21*" 600:running:"*:mount_setattr:*) ;;
	*) echo "a.img is $f_is on disk" ;;
	esac
	[ -n "$f_changed" ] || return 0
	f_is=$(stat -c '%u:%g %a' "$f_changed")
	case ${f_true:-shutoff}:$f_is in
	shutoff:"12:34 640") ;;
	running:21*:21*" 640") [ -n "$(find "$VM_ROOT/var/lib/vm/owners" -type f ! -name .lock)" ] || echo "nobody knows whose b.img was" ;;
	*) echo "b.img is $f_is while the guest is ${f_true:-shutoff}" ;;
	esac
}
