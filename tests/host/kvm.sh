# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest's life under KVM, on a host with cgroup v2 alone, and one with a device of the host's.
# timeout: 520
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=500
host_machine -device pcie-root-port,id=rp1,chassis=1 -device e1000e,bus=rp1
needs vm-define vm-start vm-list vm-info vm-shutdown vm-destroy vm-dumpxml vm-hostdev-list

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
# a device of the host's
ok "VFIO" host_modules e1000e vfio-pci
card=$(vm-hostdev-list --kind=pci | grep e1000e | cut -f1)
driver() { basename "$(readlink "/sys/bus/pci/devices/$card/driver")"; }
guest_xml card "$(host_hostdev "$card")" | sed "s|type='qemu'|type='kvm'|" >"$T/card.xml"
ok "define with the network card" vm-define "$T/card.xml"
ok "start" vm-start --timeout=200 card
is "$(driver)" vfio-pci "it is the guest's"
wait_for 60 "which sees it" guest_says card '8086:10d3'
ok "destroy" vm-destroy --timeout=30 card
is "$(driver)" e1000e "and it is the host's again"
leftovers
done_testing
