# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-define, interrupted or failing at any system call: first definition and redefinition.
# timeout: 1800
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
needs vm-define

f_guest=fdef$$
uuid=6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11
guest_xml "$f_guest" >"$T/plain.xml"
sed "s|</name>|</name><uuid>$uuid</uuid><title>second</title>|" "$T/plain.xml" >"$T/with-uuid.xml"

f_prepare() { :; }
f_command() { "$@" vm-define -q "$T/plain.xml"; }
f_converge() { "$@" vm-define -q "$T/plain.xml"; }
faults "vm-define" tool kill fail

f_prepare() { vm-define -q "$T/with-uuid.xml"; }
f_command() { "$@" vm-define -q "$T/with-uuid.xml"; }
f_converge() { "$@" vm-define -q "$T/with-uuid.xml"; }
faults "vm-define of the same" tool kill fail

sed 's|second|third|' "$T/with-uuid.xml" >"$T/third.xml"
f_command() { "$@" vm-define -q "$T/third.xml"; }
faults "vm-define anew" tool kill fail
leftovers
done_testing
