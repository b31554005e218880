# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-start of a guest with programs beside QEMU and a chain of images, and vm-destroy of it, interrupted or failing at
# any system call.
# timeout: 3600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
. "$VM_SOURCE/tests/fault/lib/files.sh"
root_needed
needs vm-define vm-undefine vm-start vm-destroy
command -v swtpm >/dev/null || skip_all "no swtpm; run scripts/setup"
[ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ] || skip_all "no virtiofsd; run scripts/setup"
command -v qemu-img >/dev/null || skip_all "no qemu-img"

f_guest=fhelp$$
mkdir -m 0700 "$T/closed/share"
truncate -s 1M "$T/closed/base.raw"
(cd "$T/closed" && qemu-img create -q -f qcow2 -F raw -b base.raw top.qcow2)
guest_xml "$f_guest" "$(f_disks)
<disk type='file'><driver name='qemu' type='qcow2'/><source file='$T/closed/top.qcow2'/><target dev='vdc' bus='virtio'/></disk>
<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
<filesystem type='mount'><driver type='virtiofs'/><source dir='$T/closed/share'/><target dir='host'/></filesystem>" |
	sed "s|<vcpu>|<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking><vcpu>|" >"$T/guest.xml"
f_learn_caps
# both programs are QEMU's children: with it they run, without it there are none
f_beside() {
	if [ "${f_true:-shutoff}" = running ]; then
		ps -o stat=,comm= --ppid "$(vm-info --get=pid "$f_guest")"
	else
		pgrep -f "source=$T/closed/share" | while read -r f_pid; do ps -o stat=,comm= -p "$f_pid"; done
		pgrep -x swtpm | while read -r f_pid; do
			case $(readlink "/proc/$f_pid/cwd") in "$T"/*) echo "S swtpm" ;; esac
		done
	fi | awk '$1 !~ /^Z/ { print $2 }' | sort | tr '\n' ' '
}
f_check() {
	f_owners
	f_found=$(f_beside)
	case ${f_true:-shutoff}:$f_found in
	running:"swtpm virtiofsd " | shutoff:) ;;
	*) echo "beside a guest that is ${f_true:-shutoff}: '$f_found'" ;;
	esac
}

f_prepare() { vm-define -q "$T/guest.xml"; }
f_command() { "$@" vm-start -q "$f_guest"; }
f_converge() { "$@" vm-start -q --if-needed "$f_guest"; }
f_finish() { vm-destroy -q "$f_guest"; }
faults "vm-start" tool kill fail
f_during() { :; }
f_linger=300
faults "vm-start" watch kill fail

f_prepare() { vm-define -q "$T/guest.xml" && vm-start -q "$f_guest"; }
f_command() { "$@" vm-destroy -q "$f_guest"; }
f_converge() { "$@" vm-destroy -q --if-needed "$f_guest" || "$@" vm-start -q "$f_guest"; }
f_whole=no
faults "vm-destroy" tool kill
leftovers
done_testing
