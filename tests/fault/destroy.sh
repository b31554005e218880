# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-destroy, interrupted or failing at any system call.
# timeout: 3600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
. "$VM_SOURCE/tests/fault/lib/files.sh"
root_needed
needs vm-define vm-undefine vm-start vm-destroy

f_guest=fdestroy$$
guest_xml "$f_guest" "$(f_disks)" | f_tuned >"$T/guest.xml"
f_learn_caps
f_check() { f_owners; }

f_prepare() { vm-define -q "$T/guest.xml" && vm-start -q "$f_guest"; }
f_command() { "$@" vm-destroy -q "$f_guest"; }
f_converge() { "$@" vm-destroy -q --if-needed "$f_guest" || "$@" vm-start -q "$f_guest"; }
f_finish() { vm-destroy -q "$f_guest"; }
f_whole=no
faults "vm-destroy" tool kill fail
leftovers
done_testing
