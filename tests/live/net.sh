# SPDX-License-Identifier: LGPL-2.1-or-later
# serial
# Interfaces on the host: taps come with the guest and go with it.
. "$(dirname "$0")/../tap.sh"
needs vm-start vm-destroy vm-define vm-info
root_needed
command -v ip >/dev/null || skip_all "no ip(8)"
bridge=vmtbr$$
ip link add "$bridge" type bridge 2>/dev/null || skip_all "no right to make a bridge"
at_exit "ip link del $bridge"
[ -e /dev/net/tun ] || skip_all "no /dev/net/tun"

define() { guest_xml "$@" >"$T/$1.xml" && vm-define -q "$T/$1.xml"; }
nic() { echo "<interface type='bridge'><mac address='52:54:00:12:34:$1'/><source bridge='$bridge'/><model type='virtio'/>$2</interface>"; }
mark=$("$VM_BUILD/tests/group-scan" --tag "$VM_ROOT")
ports() { ip -o link show master "$bridge" | wc -l; }
tap_of() { vm-info "$1" interfaces | cut -f1; }
link_is() { ip link show "$1" 2>/dev/null | grep -q "$2"; }

define a "$(nic 01 "")"
ok "start" vm-start -q a
tap=$(tap_of a)
like "$tap" '^vnet[0-9]+$' "it has a tap"
ok "which is a port of the bridge" link_is "$tap" "master $bridge"
ok "and up" link_is "$tap" UP
ok "its MAC is the guest's with fe in front" link_is "$tap" fe:54:00:12:34:01
ok "it is marked as ours" link_is "$tap" "alias vm-utils qemu.$mark/a"
define b "$(nic 02 "<target dev='vmt$$'/><mtu size='1400'/><driver queues='3'/>")"
ok "start another" vm-start -q b
is "$(tap_of b)" "vmt$$" "with the name that was asked for"
ok "and the MTU" link_is "vmt$$" "mtu 1400"
is "$(ports)" 2 "two ports"
define c "$(nic 03 "<target dev='vmt$$'/>")"
status_is 10 vm-start c
err_like "^vm-start: c: the network interface vmt$$ exists already"
define d "$(nic 04 "")" "$(nic 05 "")"
vm-destroy -q a
wait_for 2 "a destroyed guest has no tap" sh -c "! ip link show $tap 2>/dev/null"
# made persistent by a hostile QEMU
ip tuntap add dev "vmtp$$" mode tap 2>/dev/null
ip link set "vmtp$$" alias "vm-utils qemu.$mark/e"
define e "$(nic 06 "<target dev='vmte$$'/>")"
ok "start" vm-start -q e
kill -9 "$(vm-info --get=pid e)"
wait_for 5 "a crash takes the tap with it" sh -c "! ip link show vmte$$ 2>/dev/null"
ok "a tap that is not in the record stays" link_is "vmtp$$" UP\\\|DOWN
ip link del "vmtp$$"
# a start that fails later
qemu-img create -q -f qcow2 "$T/bad.img" 1M
printf '\100' | dd of="$T/bad.img" bs=1 seek=72 conv=notrunc status=none # a feature that no QEMU knows
define f "$(nic 07 "")<disk type='file'><driver name='qemu' type='qcow2'/><source file='$T/bad.img'/><target dev='vda'/></disk>"
status_is 13 vm-start f
vm-destroy -q b
is "$(ports)" 0 "no port is left on the bridge"
# an interface of the admin's
ip tuntap add dev "vmtm$$" mode tap
define m "<interface type='ethernet'><target dev='vmtm$$' managed='no'/><model type='e1000e'/></interface>"
ok "a tap of the admin's" vm-start -q m
vm-destroy -q m
ok "stays" link_is "vmtm$$" UP\\\|DOWN
ip link del "vmtm$$"
define n "<interface type='ethernet'><model type='virtio'/></interface>"
ok "a tap without a bridge" vm-start -q n
like "$(tap_of n)" '^vnet[0-9]+$' "has a name"
vm-destroy -q n
leftovers
done_testing
