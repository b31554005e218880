# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest's life under KVM, on a host with cgroup v2 alone.
# timeout: 520
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=500
host_machine
needs vm-define vm-start vm-list vm-info vm-shutdown vm-destroy vm-dumpxml

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
# the host's CPU as a model with a name: KVM provides all of it, and the guest boots
guest_xml model | sed -e "s|type='qemu'|type='kvm'|" -e "s|<features>|<cpu mode='host-model'/><features>|" >"$T/model.xml"
ok "define with host-model" vm-define "$T/model.xml"
ok "start" vm-start --timeout=200 model
wait_for 60 "it is up" guest_says model '^pci end'
cpu=$(vm-dumpxml model | tr -d "\n" | grep -o "<cpu .*</cpu>")
like "$cpu" "<cpu mode='custom' .*<model fallback='forbid'>[A-Z]" "its document names the model"
unlike "$(cat "$VM_ROOT/var/log/vm/qemu/model.log")" "support requested feature|warning: host" "all of which KVM has"
diag "$cpu"
ok "destroy" vm-destroy --timeout=30 model
leftovers
done_testing
