# SPDX-License-Identifier: LGPL-2.1-or-later
# What the README shows first: the demo, to its end.
. "$(dirname "$0")/../tap.sh"
needs vm-define vm-start vm-qmp vm-shutdown

TMPDIR=$T status_is 0 "$VM_SOURCE/scripts/demo" --no-setup --no-build --preset="$(basename "$VM_BUILD")"
is "$err" "" "it complains about nothing"
like "$out" 'demo +' "it runs"
like "$out" 'hotplug .* added' "the guest sees a device come"
like "$out" 'hotplug .* removed' "and go"
like "$out" 'What is left: no process, no mount, no definition' "nothing is left"
status_is 2 "$VM_SOURCE/scripts/demo" --nonsense
done_testing
