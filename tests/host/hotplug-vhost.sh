# SPDX-License-Identifier: LGPL-2.1-or-later
# vhost-scsi targets of the kernel, plugged into a guest that runs, and out again, and given at its start.
# timeout: 600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=570
host_machine

VM_TIMEOUT=200
export VM_TIMEOUT
tab=$(printf '\t')
wwpn=naa.5001405df3e54061
guest_xml hot "<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-root-port'/>" >"$T/hot.xml"
echo "<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='$wwpn'/></hostdev>" >"$T/vhost.xml"
host_guest hot
state() {
	host_run_state hot
	for fd in "/proc/$(vm-info --get=pid hot)"/fd/*; do readlink "$fd"; done | grep -c vhost-scsi
}
state >"$T/before"
unchanged() {
	state >"$T/after"
	is "$(diff "$T/before" "$T/after" | head -n 8)" "" "$1"
}

# ---- what is missing is named ----
rm -f /dev/vhost-scsi
status_is 5 vm-attach-hostdev hot "$T/vhost.xml"
err_like 'there is no /dev/vhost-scsi; load the module vhost_scsi'
ok "the kernel's targets" host_modules target_core_mod vhost_scsi
[ -d /sys/kernel/config/target ] || mount -t configfs configfs /sys/kernel/config
wait_for 30 "the node" test -c /dev/vhost-scsi
status_is 5 vm-attach-hostdev hot "$T/vhost.xml"
err_like "there is no vhost-scsi target $wwpn; make it with targetcli: /vhost create $wwpn"
unchanged "nothing was touched"

target=/sys/kernel/config/target
mkdir -p "$target/core/rd_mcp_0/ram"
echo rd_pages=256 >"$target/core/rd_mcp_0/ram/control"
echo 1 >"$target/core/rd_mcp_0/ram/enable"
mkdir -p "$target/vhost/$wwpn/tpgt_1/lun/lun_0"
echo naa.600140554cf3a18e >"$target/vhost/$wwpn/tpgt_1/nexus"
ln -s "$target/core/rd_mcp_0/ram" "$target/vhost/$wwpn/tpgt_1/lun/lun_0/ram"
ok "a target" test -d "$target/vhost/$wwpn"

# ---- in and out ----
status_is 0 vm-attach-hostdev --dry-run hot "$T/vhost.xml"
like "$(printf '%s\n' "$out$err" | paste -sd' ')" "open vhost-scsi for QEMU .*QMP getfd vhost-hostdev0 .*QMP device_add .*vhostfd.:.vhost-hostdev0" "--dry-run names what is handed over"
unchanged "--dry-run changes nothing"
status_is 0 vm-attach-hostdev hot "$T/vhost.xml"
diag "$out $err"
wait_for 60 "the guest sees it come" guest_says hot 'hotplug .* added'
like "$(vm-info hot hostdevs)" "^hostdev0${tab}assigned${tab}0000:[0-9a-f:.]*$tab.*$wwpn" "vm-info lists it"
isnt "$(for fd in "/proc/$(vm-info --get=pid hot)"/fd/*; do readlink "$fd"; done | grep -c vhost-scsi)" 0 "QEMU has the descriptor"
is "$(vm-cgroup hot devices | grep vhost)" "" "and no rule: it opened nothing"
status_is 10 vm-attach-hostdev hot "$T/vhost.xml"
err_like 'already'
guest_xml two "<controller type='pci' index='1' model='pcie-root-port'/>$(cat "$T/vhost.xml")" >"$T/two.xml"
status_is 0 vm-define "$T/two.xml"
status_is 10 vm-start two
err_like "$wwpn.*guest 'hot'"
status_is 0 vm-detach-hostdev --wait=200 hot "$T/vhost.xml"
wait_for 60 "the guest sees it go" guest_says hot 'hotplug .* removed'
unchanged "nothing of it is left, no descriptor either"

# ---- refused by QEMU: the descriptor goes, too ----
# somebody else has plugged something in behind the document's back
status_is 0 vm-qmp hot 'device_add {"driver":"edu","id":"other","bus":"pci.1"}'
status_is 13 vm-attach-hostdev hot "$T/vhost.xml"
err_like "QEMU refuses vhost:$wwpn: .*pci.1|in use"
diag "$err"
unchanged "as it was"
: >"$T/hot.console"
status_is 0 vm-qmp hot 'device_del {"id":"other"}'
wait_for 60 "that is gone" guest_says hot 'hotplug .* removed'

# ---- from the start ----
status_is 0 vm-start two
wait_for 60 "another guest has it from its start" guest_says two '1af4:1048'
status_is 0 vm-detach-hostdev --wait=200 two "$T/vhost.xml"
status_is 0 vm-attach-hostdev two "$T/vhost.xml"
status_is 0 vm-destroy two
status_is 0 vm-destroy hot
is "$(cd "$VM_ROOT/run/vm" && ls -d claims/* 2>/dev/null)" "" "no claim is left"
done_testing
