# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-undefine, interrupted or failing at any system call.
# timeout: 1800
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
needs vm-define vm-undefine

f_guest=fundef$$
guest_xml "$f_guest" >"$T/guest.xml"

f_prepare() {
	vm-define -q "$T/guest.xml" || return
	[ ! -x "$VM_BUILD/bin/vm-autostart" ] || vm-autostart -q "$f_guest"
}
f_command() { "$@" vm-undefine -q "$f_guest"; }
# whether it is still defined or not, afterwards it is
f_converge() { "$@" vm-define -q "$T/guest.xml"; }
f_whole=no
faults "vm-undefine" tool kill fail
leftovers
done_testing
