# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-start, interrupted or failing at any system call: the tool alone, all its processes, and its children.
# timeout: 3600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
. "$VM_SOURCE/tests/fault/lib/files.sh"
root_needed
needs vm-define vm-undefine vm-start vm-destroy

f_guest=fstart$$
guest_xml "$f_guest" "$(f_disks)" | f_tuned >"$T/guest.xml"
f_learn_caps
f_check() { f_owners; }

f_prepare() { vm-define -q "$T/guest.xml"; }
f_command() { "$@" vm-start -q "$f_guest"; }
f_converge() { "$@" vm-start -q --if-needed "$f_guest"; }
f_finish() { vm-destroy -q "$f_guest"; }
faults "vm-start" tool kill tree fail

f_during() { :; }
f_linger=300
faults "vm-start" watch kill fail
leftovers
done_testing
