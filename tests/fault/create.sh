# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-create, interrupted or failing at any system call: a guest without a definition leaves nothing at all.
# timeout: 3600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
root_needed
needs vm-create vm-define vm-start vm-destroy vm-undefine

f_guest=fcreate$$
guest_xml "$f_guest" >"$T/guest.xml"

f_learn_caps
f_prepare() { :; }
f_command() { "$@" vm-create -q "$T/guest.xml"; }
f_converge() { "$@" vm-create -q "$T/guest.xml"; }
f_finish() { vm-destroy -q "$f_guest"; }
faults "vm-create" tool kill tree fail
leftovers
done_testing
