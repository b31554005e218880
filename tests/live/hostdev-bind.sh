# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-hostdev-bind, -unbind, -reset against a process that plays the kernel's rules on a tree of its own: what is bound,
# what is refused and why, and that whatever fails or is killed leaves the tree as it was.
. "$(dirname "$0")/../tap.sh"
needs vm-hostdev-bind vm-hostdev-unbind vm-hostdev-reset
. "$VM_SOURCE/tests/lib/kernel.sh"
host_rows <"$VM_TEST_DATA/hosts/pci"
echo 'file dev/vfio/7' | host_rows
host_begin

driver() { basename "$(readlink "$tree/sys/bus/pci/devices/$1/driver")" 2>/dev/null; }

# ---- there and back ----
status_is 0 vm-hostdev-bind 0000:02:00.0
out_is "0000:02:00.0: bound"
is "$(driver 0000:02:00.0)" vfio-pci "the device is on VFIO"
is "$(log)" "override vfio-pci
unbound 0000:02:00.0 nvme
bound 0000:02:00.0 vfio-pci" "in this order"
is "$(vm-hostdev-list --state=ready --driver=vfio-pci --group=15 | cut -f1)" 0000:02:00.0 "and listed as ready"
status_is 0 vm-hostdev-bind 0000:02:00.0
out_is "0000:02:00.0: bound already"
: >"$ctl/log"
status_is 0 vm-hostdev-unbind pci_0000_02_00_0 --json
out_is '{"schema":"vm-hostdev-unbind/1","changed":true,"devices":[{"name":"pci_0000_02_00_0","changed":true}]}'
is "$(log)" "override 
unbound 0000:02:00.0 vfio-pci
bound 0000:02:00.0 nvme" "back in this order"
unchanged "bind and unbind"
status_is 0 vm-hostdev-unbind 0000:02:00.0
out_is "0000:02:00.0: given back already"

# ---- what it was: an override of somebody's, no driver at all ----
echo nvme >"$tree/sys/bus/pci/devices/0000:02:00.0/driver_override"
snapshot >"$T/before"
ok "bind one with an override" vm-hostdev-bind 0000:02:00.0
ok "and back" vm-hostdev-unbind 0000:02:00.0
unchanged "an override of before"
ok "bind one without driver" vm-hostdev-bind 0000:00:03.0
is "$(driver 0000:00:03.0)" vfio-pci "it is on VFIO"
ok "and back" vm-hostdev-unbind 0000:00:03.0
is "$(driver 0000:00:03.0)" "" "and without driver again"
unchanged "a device without driver"
# one that was on VFIO before we came is left there by bind, and goes to the host when somebody says so
status_is 0 vm-hostdev-bind 0005:90:01.0
out_is "0005:90:01.0: bound already"
unchanged "already on VFIO"

# ---- the whole group, or nothing changes ----
status_is 0 vm-hostdev-bind --siblings 0001:01:00.0
is "$(driver 0001:01:00.1)" vfio-pci "--siblings takes the other function too"
is "$(vm-hostdev-info --get=state 0001:01:00.1)" ready "the group is free for a guest"
ok "and both back" vm-hostdev-unbind --siblings 0001:01:00.0
is "$(driver 0001:01:00.1)" "" "to no driver, when none is for its id"
"$VM_BUILD/tests/fake-sysfs" "$tree" <<'END'
driver e1000e 8086:105e
pci 0001:01:00.0 8086:105e 020000 group=5 header=80 driver=e1000e caps=pm,pcie on=0001:00:00.0 numa=1 resets=pm,bus
pci 0001:01:00.1 8086:105e 020000 group=5 header=80 driver=e1000e caps=pm,pcie on=0001:00:00.0 numa=1 resets=pm,bus
END
snapshot >"$T/before"

# ---- refused before anything changes ----
: >"$ctl/log"
status_is 5 vm-hostdev-bind 0000:99:00.0
status_is 6 vm-hostdev-bind 0001:00:00.0
err_like 'cannot bind 0001:00:00.0: it is a bridge, not an endpoint'
status_is 3 vm-hostdev-bind 0000:03:00.0
err_like 'cannot bind 0000:03:00.0: it is in no IOMMU group'
status_is 10 vm-hostdev-bind 0000:01:00.0
err_like "cannot bind 0000:01:00.0: its nvme0n1 is mounted at /srv; end that use, or give --force"
status_is 10 vm-hostdev-bind 0000:00:01.0
err_like "packets are routed through its eth0"
status_is 3 vm-hostdev-bind usb:1-1
err_like 'only PCI devices are bound to VFIO'
status_is 10 vm-hostdev-bind 0000:01:00.0 0000:02:00.0
out_is "0000:02:00.0: bound"
ok "the second was bound all the same" vm-hostdev-unbind 0000:02:00.0
status_is 0 vm-hostdev-bind --force 0000:01:00.0
ok "and back" vm-hostdev-unbind 0000:01:00.0
unchanged "refusals"
: >"$ctl/log"
status_is 0 vm-hostdev-bind --dry-run 0000:02:00.0
status_is 0 vm-hostdev-bind --dry-run --json --driver=vfio 0000:02:00.0
out_like "\"changed\":false.*,\"steps\":\[\"write 'vfio-pci' to driver_override of 0000:02:00.0\",.*\"write '0000:02:00.0' to drivers_probe\"\]}"
is "$(log)" "" "--dry-run writes nothing"
unchanged "--dry-run"

# ---- a driver of VFIO that is made for the device ----
release=6.8.0-test
mkdir -p "$tree/lib/modules/$release" "$tree/proc/sys/kernel" "$tree/sys/module/acme_vfio_pci/drivers" "$tree/sys/bus/pci/drivers/mlx5_vfio_pci"
echo "$release" >"$tree/proc/sys/kernel/osrelease"
: >"$tree/sys/bus/pci/drivers/mlx5_vfio_pci/unbind"
ln -s ../../../bus/pci/drivers/mlx5_vfio_pci "$tree/sys/module/acme_vfio_pci/drivers/pci:mlx5_vfio_pci"
echo "pci:v00001CC1d00008201sv00000000sd00000000bc01sc08i02" >"$(readlink -f "$tree/sys/bus/pci/devices/0000:02:00.0")/modalias"
cat >"$tree/lib/modules/$release/modules.alias" <<'END'
# Aliases extracted from modules themselves.
alias pci:v00001CC1d00008201sv*sd*bc*sc*i* nvme
alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci
alias vfio_pci:v00001CC1d*sv*sd*bc*sc*i* other_vfio_pci
alias vfio_pci:v00001CC1d00008201sv*sd*bc*sc*i* acme_vfio_pci
alias vfio_pci:v00001CC1d00008202sv*sd*bc*sc*i* wrong_vfio_pci
alias vfio_pci:v*d*sv*sd*bc01sc08i02* ../evil
END
snapshot >"$T/before"
: >"$ctl/log"
is "$(vm-hostdev-info --get=vfio_driver 0000:02:00.0)" acme_vfio_pci "vm-hostdev-info names the module that fits best"
status_is 0 vm-hostdev-bind 0000:02:00.0
is "$(driver 0000:02:00.0)" mlx5_vfio_pci "bound to its driver"
is "$(vm-hostdev-list --state=ready --group=15 | cut -f1)" 0000:02:00.0 "which is as good as vfio-pci"
ok "and back" vm-hostdev-unbind 0000:02:00.0
unchanged "a driver that is made for it"
status_is 0 vm-hostdev-bind --driver=vfio-pci 0000:02:00.0
is "$(driver 0000:02:00.0)" vfio-pci "unless somebody says otherwise"
ok "and back" vm-hostdev-unbind 0000:02:00.0
rm "$tree/sys/module/acme_vfio_pci/drivers/pci:mlx5_vfio_pci"
status_is 0 vm-hostdev-bind 0000:02:00.0
err_like '0000:02:00.0: cannot load the module acme_vfio_pci: it is bound to vfio-pci'
ok "and back" vm-hostdev-unbind 0000:02:00.0
status_is 3 vm-hostdev-bind --driver=none_vfio_pci 0000:02:00.0
err_like 'cannot load the driver none_vfio_pci'
rm "$tree/lib/modules/$release/modules.alias"

# ---- what a dry run says where a driver is not loaded yet ----
steps() { vm-hostdev-bind --dry-run "$@" 2>&1 | paste -sd';'; }
echo "kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/vfio.ko" >"$tree/lib/modules/$release/modules.dep"
is "$(steps 0000:02:00.0)" "write 'vfio-pci' to driver_override of 0000:02:00.0;write '0000:02:00.0' to unbind of its driver nvme;write '0000:02:00.0' to drivers_probe" "loaded: only what is written"
mv "$tree/sys/bus/pci/drivers/vfio-pci" "$T/aside"
like "$(steps 0000:02:00.0 0000:00:03.0)" "^load the driver vfio-pci;write 'vfio-pci' to driver_override of 0000:02:00.0;write '0000:02:00.0' to unbind of its driver nvme;write '0000:02:00.0' to drivers_probe;.*write 'vfio-pci' to driver_override of 0000:00:03.0;write '0000:00:03.0' to drivers_probe" "not loaded: that comes first, once, and what has no driver is not unbound"
is "$(steps 0000:02:00.0 0000:00:03.0 | grep -o 'load the' | wc -l)" 1 "once"
like "$(steps --driver=other_vfio_pci 0000:02:00.0)" "^load the driver vfio-pci;load the driver other_vfio_pci;write 'other_vfio_pci' to driver_override" "one that is asked for, too"
echo "alias vfio_pci:v00001CC1d00008201sv*sd*bc*sc*i* hisi_acc_vfio_pci" >"$tree/lib/modules/$release/modules.alias"
like "$(steps 0000:02:00.0)" "^load the module hisi_acc_vfio_pci;load the driver vfio-pci;write 'hisi-acc-vfio-pci' to driver_override" "one that is made for it, by the name of its driver"
mv "$T/aside" "$tree/sys/bus/pci/drivers/vfio-pci"
rm "$tree/lib/modules/$release/modules.alias" "$tree/lib/modules/$release/modules.dep"
snapshot >"$T/before"

# ---- the kernel refuses ----
: >"$ctl/fail-driver_override"
status_is 14 vm-hostdev-bind 0000:02:00.0
err_like 'driver_override: Input/output error'
rm "$ctl/fail-driver_override"
unchanged "driver_override fails"
: >"$ctl/fail-unbind"
status_is 14 vm-hostdev-bind 0000:02:00.0
rm "$ctl/fail-unbind"
unchanged "unbind fails"
: >"$ctl/refuse-vfio-pci"
status_is 14 vm-hostdev-bind 0000:02:00.0
err_like 'vfio-pci did not take it'
rm "$ctl/refuse-vfio-pci"
unchanged "VFIO's probe fails"
: >"$ctl/no-node"
status_is 12 vm-hostdev-bind --timeout=15 0000:02:00.0
err_like '/dev/vfio/15 does not appear'
rm "$ctl/no-node"
unchanged "no node"
echo 13 >"$ctl/fail-driver_override"
status_is 4 vm-hostdev-bind 0000:02:00.0
err_like 'driver_override: Permission denied'
rm "$ctl/fail-driver_override"
unchanged "driver_override may not be written"
for file in driver_override unbind drivers_probe; do
	echo 30 >"$ctl/fail-$file"
	status_is 4 vm-hostdev-bind 0000:02:00.0
	err_like "$file: Read-only file system; sysfs is mounted read-only, as in a container: bind it on the host"
	rm "$ctl/fail-$file"
	# nothing could be written, nor written back
	[ "$file" != drivers_probe ] || echo 0000:02:00.0 >"$VM_SYSROOT/sys/bus/pci/drivers_probe"
	unchanged "$file may not be written"
done
echo i915 >"$ctl/takes-0000:02:00.0"
: >"$ctl/log"
status_is 14 vm-hostdev-bind 0000:02:00.0
err_like '0000:02:00.0: the driver i915 took it instead of vfio-pci; the kernel.s messages say why'
rm "$ctl/takes-0000:02:00.0"
is "$(driver 0000:02:00.0)" nvme "it goes back to its own driver"
unchanged "another driver took it"
mv "$tree/sys/bus/pci/devices/0000:02:00.0/driver_override" "$T/override"
status_is 3 vm-hostdev-bind 0000:02:00.0
err_like 'this kernel has no driver_override for 0000:02:00.0'
mv "$T/override" "$tree/sys/bus/pci/devices/0000:02:00.0/driver_override"
unchanged "a kernel without driver_override"
# a host driver that does not come back is told, and is no failure
ok "bind" vm-hostdev-bind 0000:02:00.0
: >"$ctl/refuse-nvme"
status_is 0 vm-hostdev-unbind 0000:02:00.0
err_like 'had the driver nvme and now has none'
rm "$ctl/refuse-nvme"
echo 0000:02:00.0 >"$VM_SYSROOT/sys/bus/pci/drivers_probe"
unchanged "given back without driver, and probed by hand"

# ---- another device that cannot be read is no obstacle, one of the same group is ----
odd=$tree/sys/bus/pci/devices/0000:0a:01.0 mdev=53764d0e-85a0-42b4-af5c-2046b460b1dc
class=$(cat "$odd/class")
echo 0x03800z >"$odd/class"
mv "$tree/sys/devices/pci0000:00/0000:00:02.0/$mdev/mdev_type" "$T/type"
ln -s mdev_type "$tree/sys/devices/pci0000:00/0000:00:02.0/$mdev/mdev_type"
status_is 0 vm-hostdev-bind 0000:02:00.0
out_is "0000:02:00.0: bound"
status_is 0 vm-hostdev-unbind 0000:02:00.0
out_is "0000:02:00.0: given back"
status_is 0 vm-hostdev-reset 0000:02:00.0
status_is 14 vm-hostdev-bind 0000:0a:02.0
err_like '^vm-hostdev-bind: 0000:0a:02.0: .*what .*/0000:0a:01.0/class says is not understood'
status_is 14 vm-hostdev-bind 0000:00:02.0
err_like "/$mdev/mdev_type: Too many levels of symbolic links"
status_is 0 vm-hostdev-list
err_like 'warning: what .*/0000:0a:01.0/class says is not understood'
is "$(printf '%s\n' "$out" | grep -c '^0000:0a:01.0\|^0000:02:00.0')" 2 "all are listed"
echo "$class" >"$odd/class"
rm "$tree/sys/devices/pci0000:00/0000:00:02.0/$mdev/mdev_type"
mv "$T/type" "$tree/sys/devices/pci0000:00/0000:00:02.0/$mdev/mdev_type"
unchanged "what could not be read"

# ---- a driver that does not let go ----
: >"$ctl/hang-0000:02:00.0"
start=$(date +%s)
status_is 12 vm-hostdev-bind --timeout=5 0000:02:00.0
err_like 'its driver nvme does not let go of it'
is "$([ $(($(date +%s) - start)) -lt 45 ] && echo soon)" soon "it is told in time"
is "$(vm-hostdev-info --get=state 0000:02:00.0)" stuck "the device is stuck"
like "$(vm-doctor hostdev)" "fail	hostdev	0000:02:00.0 is stuck: .*does not let go of it" "vm-doctor tells"
ok "another device is not kept waiting" vm-hostdev-bind 0000:00:03.0
ok "nor given back late" vm-hostdev-unbind 0000:00:03.0
rm "$ctl/hang-0000:02:00.0"
wait_for 10 "the kernel comes back" grep -q 'unbound 0000:02:00.0' "$ctl/log"
ok "the next command puts it back" vm-hostdev-unbind 0000:02:00.0
unchanged "a driver that hung"

# ---- reset ----
: >"$ctl/log"
status_is 0 vm-hostdev-reset 0000:02:00.0
out_is "0000:02:00.0: reset"
is "$(log | grep -c reset)" 1 "the kernel is told"
status_is 10 vm-hostdev-reset 0000:01:00.0
err_like 'cannot reset 0000:01:00.0: its nvme0n1 is mounted at /srv'
status_is 3 vm-hostdev-reset 0000:00:03.0
err_like 'the kernel has no way to reset it'
"$VM_BUILD/tests/fake-sysfs" "$tree" <<'END'
driver e1000e 8086:105e
pci 0003:00:00.0 1014:03b9 060400 group=40 header=01 type=4 driver=pcieport
pci 0003:01:00.0 8086:105e 020000 group=41 header=80 driver=e1000e on=0003:00:00.0
pci 0003:01:00.1 8086:105e 020000 group=42 header=80 driver=e1000e on=0003:00:00.0
END
status_is 10 vm-hostdev-reset 0003:01:00.0
err_like 'cannot reset 0003:01:00.0: that takes a reset of its whole bus, where 0003:01:00.1 \(e1000e\) is in use'
snapshot >"$T/before"
unchanged "reset"

# ---- killed at any instruction ----
killed=0
for n in $(seq 1 4 120); do
	"$VM_BUILD/tests/fault" kill "$n" -- vm-hostdev-bind -q 0000:02:00.0 >/dev/null 2>&1 || killed=$((killed + 1))
	vm-hostdev-unbind -q 0000:02:00.0 2>"$T/err" || fail "unbind after a kill at call $n: $(cat "$T/err")"
	as_before "killed at call $n" || break
done
isnt "$killed" 0 "binding was killed at $killed places, and put back by the next command"
done_testing
