# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest's life under KVM, on a host with cgroup v2 alone.
# timeout: 420
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=400
host_machine
needs vm-define vm-start vm-list vm-info vm-shutdown vm-destroy

ok "KVM" host_modules kvm-amd
guest_xml one | sed -e "s|type='qemu'|type='kvm'|" -e "s|<features>|<cpu mode='host-passthrough'/><features>|" >"$T/one.xml"
ok "define" vm-define "$T/one.xml"
ok "start" vm-start --timeout=200 one
is "$(vm-info --get=state one)" running "it runs"
wait_for 60 "it is up" guest_says one '^pci end'
like "$(tr '\0' ' ' <"/proc/$(vm-list --id)/cmdline")" 'accel[ =]kvm' "under KVM"
ok "suspend" vm-suspend one
is "$(vm-info --get=state one)" paused "paused"
ok "resume" vm-resume one
ok "shut down" vm-shutdown --timeout=30 --wait=60 one
is "$(vm-info --get=state one)" shutoff "off"
ok "start again" vm-start --timeout=200 one
ok "destroy" vm-destroy --timeout=30 one
leftovers
done_testing
