# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-hostdev-create, -destroy, -define, -undefine, -start and -autostart against a process that plays the kernel: mediated
# devices, virtual functions, virtual GPUs; what is refused, and that whoever is killed or fails leaves nothing half made.
# timeout: 300
. "$(dirname "$0")/../tap.sh"
needs vm-hostdev-create vm-hostdev-destroy vm-hostdev-define vm-hostdev-undefine vm-hostdev-start vm-hostdev-autostart
. "$VM_SOURCE/tests/lib/kernel.sh"

host_rows <<'END'
driver nvidia 10de:2235
driver igb 8086:10c9
driver igbvf 8086:10ca
driver i915 8086:0046
driver vfio-pci
dir dev/vfio
file dev/vfio/vfio
dir sys/bus/mdev/devices
pci 0000:00:02.0 8086:0046 030000 group=2 driver=i915
mdevtype i915-GVTg_V5_4 api=vfio-pci name=GVTg_V5_4 left=2 on=0000:00:02.0
mdevtype i915-GVTg_V5_8 api=vfio-pci left=0 on=0000:00:02.0
pci 0000:06:00.0 8086:10c9 020000 group=9 driver=igb totalvfs=4 caps=flr
pci 0000:07:00.0 8086:10c9 020000 group=8 totalvfs=4 caps=flr
pci 0000:41:00.0 10de:2235 030200 group=12 driver=nvidia
pci 0000:41:00.4 10de:2235 030200 group=13 driver=nvidia pf=0000:41:00.0 vgpu=0
END
for n in 1 2 3 4; do
	echo "pci 0000:06:10.$n 8086:10ca 020000 group=$((20 + n)) driver=igbvf pf=0000:06:00.0 caps=flr"
done >"$tree/vfs-0000:06:00.0"

uuid=4b20d080-1b54-4048-85b3-a6a62d165c01 pf=0000:06:00.0
mdevs() { ls "$tree/sys/bus/mdev/devices"; }
vfs() { cat "$tree/sys/bus/pci/devices/$pf/sriov_numvfs"; }
snapshot_more() { cat "$tree/sys/bus/pci/devices/$pf/sriov_drivers_autoprobe"; }
host_begin

# ---- mediated devices ----
status_is 0 vm-hostdev-create --mdev=i915-GVTg_V5_4 --uuid=$uuid --attr=note=hello pci_0000_00_02_0
out_is "mdev:$uuid: created"
is "$(log)" "made $uuid group 200
note hello" "made, then its attribute"
like "$(vm-hostdev-info 0000:00:02.0 | grep ^mdev_type)" "^mdev_type	i915-GVTg_V5_4 1 vfio-pci GVTg_V5_4" "its parent can make one more"
like "$(vm-hostdev-info "mdev:$uuid")" "state.*ready" "ready for a guest"
like "$(vm-hostdev-info 0000:00:02.0)" "carries the mediated device $uuid" "its parent cannot be given away now"
status_is 0 vm-hostdev-create --mdev=i915-GVTg_V5_4 --uuid=$uuid 0000:00:02.0
out_is "mdev:$uuid: created already"
status_is 10 vm-hostdev-create --mdev=i915-GVTg_V5_8 --uuid=$uuid 0000:00:02.0
err_like "mdev:$uuid is there already, of type 'i915-GVTg_V5_4' on 0000:00:02.0"
status_is 0 vm-hostdev-create --json --mdev=i915-GVTg_V5_4 0000:00:02.0
other=$(printf '%s' "$out" | sed -n 's/.*"name":"\(mdev:[0-9a-f-]*\)","changed":true.*/\1/p')
isnt "$other" "" "a UUID is made up and told"
status_is 10 vm-hostdev-create --mdev=i915-GVTg_V5_4 0000:00:02.0
err_like "0000:00:02.0 can make no more devices of type 'i915-GVTg_V5_4'"
status_is 5 vm-hostdev-create --mdev=nothing 0000:00:02.0
err_like "makes no mediated devices of type 'nothing'; its types: i915-GVTg_V5_4, i915-GVTg_V5_8"
status_is 5 vm-hostdev-create --mdev=i915-GVTg_V5_4 $pf
err_like "there is no parent of mediated devices $pf"
status_is 0 vm-hostdev-destroy "mdev_$(echo $uuid | tr - _)_0000_00_02_0" "$other"
status_is 0 vm-hostdev-destroy "mdev:$uuid"
out_is "mdev:$uuid: destroyed already"
unchanged "mediated devices"

# ---- documents, as virsh's nodedev commands have them ----
cat >"$T/mdev.xml" <<'END'
<!-- kept -->
<device>
  <parent>pci_0000_00_02_0</parent>
  <capability type='mdev'>
    <type id='i915-GVTg_V5_4'/>
    <attr name='note' value='from a document'/>
  </capability>
</device>
END
status_is 0 vm virsh nodedev-define "$T/mdev.xml"
key=${out%%: *}
like "$key" '^mdev:[0-9a-f]{8}-' "a UUID is given to it"
like "$(cat "$VM_ROOT/etc/vm/hostdev/$key.xml")" "<uuid>${key#mdev:}</uuid>" "and stands in its document"
like "$(cat "$VM_ROOT/etc/vm/hostdev/$key.xml")" "<!-- kept -->" "which is the admin's otherwise"
status_is 0 vm-hostdev-define "$VM_ROOT/etc/vm/hostdev/$key.xml"
out_is "$key: defined already"
is "$(mdevs)" "" "nothing is made yet"
status_is 0 vm-hostdev-start "$key"
out_is "$key: started"
is "$(cat "$tree/sys/bus/mdev/devices/${key#mdev:}/note")" "from a document" "with its attribute"
status_is 0 vm-hostdev-start "$key"
out_is "$key: started already"
status_is 0 vm virsh nodedev-destroy "$key"
status_is 0 vm virsh nodedev-autostart "$key"
status_is 0 vm-hostdev-autostart "$key"
out_is "$key: marked already"
status_is 0 vm-hostdev-undefine "$key"
status_is 5 vm-hostdev-start "$key"
err_like "$key is not defined"
is "$(find "$VM_ROOT/etc/vm/hostdev" -type f -o -type l)" "" "nothing of it is left"
cat >"$T/none.xml" <<'END'
<device><parent>pci_0000_00_02_0</parent><capability type='mdev'><type id='x'/><colour/></capability></device>
END
status_is 3 vm-hostdev-define "$T/none.xml"
err_like "none.xml:1:[0-9]+: .*colour"
for bad in "<capability type='mdev'><type id='../x'/></capability>" "<capability type='mdev'><type id='t'/><attr name='../remove' value='1'/></capability>" \
	"<capability type='mdev'><type id='t'/><attr name='remove' value='1'/></capability>" "<capability/>" "<capability type='virt_functions' count='0'/>" \
	"<capability type='vgpu'><type id='x'/></capability>"; do
	printf "<device><parent>pci_0000_00_02_0</parent>%s</device>\n" "$bad" >"$T/bad.xml"
	status_is 6 vm-hostdev-create "$T/bad.xml"
done
echo "<device><parent>scsi_host5</parent><capability type='scsi_host'/></device>" >"$T/bad.xml"
status_is 6 vm-hostdev-define "$T/bad.xml"
echo "<device><parent>ap_matrix</parent><capability type='ap_matrix'/></device>" >"$T/bad.xml"
status_is 3 vm-hostdev-define "$T/bad.xml"
unchanged "documents"

# ---- virtual functions ----
: >"$ctl/log"
status_is 0 vm-hostdev-create --vfs=2 $pf
out_is "vfs:$pf: created"
is "$(vfs) $(log)" "2 numvfs $pf 2" "two of them"
is "$(vm-hostdev-list --driver=igbvf | cut -f1,5)" "0000:06:10.1	host
0000:06:10.2	host" "the host's driver took them"
status_is 10 vm-hostdev-create --vfs=3 $pf
err_like "$pf has 2 virtual functions already; vm-hostdev-destroy vfs:$pf removes them"
status_is 0 vm-hostdev-create --vfs=2 $pf
out_is "vfs:$pf: created already"
ok "one is bound by hand" vm-hostdev-bind -q 0000:06:10.1
printf 'vm-claim 1\nuser=qemu/web1\nmode=exclusive\nwhat=\n' >"$VM_ROOT/run/vm/claims/pci:0000:06:10.2"
status_is 10 vm-hostdev-destroy vfs:$pf
err_like "0000:06:10.2 is used by guest 'web1'"
is "$(vfs)" 2 "nothing was removed"
rm "$VM_ROOT/run/vm/claims/pci:0000:06:10.2"
status_is 0 vm-hostdev-destroy vfs:$pf
unchanged "virtual functions"
status_is 6 vm-hostdev-create --vfs=5 $pf
err_like "$pf can have 4 virtual functions, not 5"
status_is 3 vm-hostdev-create --vfs=1 0000:07:00.0
err_like "0000:07:00.0: its driver .none. makes no virtual functions"
status_is 3 vm-hostdev-create --vfs=1 0000:00:02.0
err_like "0000:00:02.0 can have no virtual functions"
unchanged "refusals"
# drivers leave them alone, and the kernel's switch is put back with them
status_is 0 vm-hostdev-create --vfs=1 --no-autoprobe $pf
is "$(cat "$tree/sys/bus/pci/devices/$pf/sriov_drivers_autoprobe")" 0 "--no-autoprobe"
status_is 0 vm-hostdev-destroy vfs:$pf
unchanged "--no-autoprobe"
: >"$ctl/log"
status_is 0 vm-hostdev-create --dry-run -v --vfs=1 --no-autoprobe $pf
like "$out" "write 0 to sriov_drivers_autoprobe of $pf" "--dry-run names the steps"
is "$(log)" "" "--dry-run writes nothing"

# ---- the kernel refuses, or does not come back ----
: >"$ctl/fail-sriov_numvfs"
status_is 14 vm-hostdev-create --vfs=2 --no-autoprobe $pf
rm "$ctl/fail-sriov_numvfs"
unchanged "sriov_numvfs fails"
: >"$ctl/fail-note"
status_is 14 vm-hostdev-create --mdev=i915-GVTg_V5_4 --attr=note=x 0000:00:02.0
err_like "set the attribute 'note' to 'x'"
rm "$ctl/fail-note"
unchanged "an attribute fails"
status_is 5 vm-hostdev-create --mdev=i915-GVTg_V5_4 --attr=colour=x 0000:00:02.0
err_like "has no attribute 'colour'"
unchanged "an attribute that is not there"
ok "a device" vm-hostdev-create -q --mdev=i915-GVTg_V5_4 --uuid=$uuid 0000:00:02.0
: >"$ctl/hang-remove"
status_is 12 vm-hostdev-destroy --timeout=5 "mdev:$uuid"
err_like "mdev:$uuid goes only when nobody has it open any more"
rm "$ctl/hang-remove"
wait_for 20 "the kernel comes back" grep -q "removed $uuid" "$ctl/log"
ok "gone by then" vm-hostdev-destroy -q "mdev:$uuid"
unchanged "a removal that hung"

# ---- a vendor's virtual GPU on a virtual function ----
like "$(vm-hostdev-info 0000:41:00.4)" "no virtual GPU was made on it, and its driver nvidia has to stay" "it is not bound to vfio-pci"
status_is 3 vm-hostdev-bind 0000:41:00.4
status_is 0 vm-hostdev-create --vgpu=558 0000:41:00.4
out_is "vgpu:0000:41:00.4: created"
status_is 10 vm-hostdev-create --vgpu=559 0000:41:00.4
err_like "has a virtual GPU of type 558 already"
is "$(vm-hostdev-list | grep ^0000:41:00.4 | cut -f4,5)" "nvidia	ready" "ready for a guest with the driver it has"
status_is 0 vm-hostdev-bind 0000:41:00.4
is "$(basename "$(readlink "$tree/sys/bus/pci/devices/0000:41:00.4/driver")")" nvidia "and never bound to another"
status_is 0 vm-hostdev-destroy vgpu:0000:41:00.4
status_is 3 vm-hostdev-create --vgpu=558 0000:00:02.0
err_like "can have no virtual GPU"
unchanged "virtual GPUs"

# ---- with the host ----
printf "<device><parent>%s</parent><capability type='virt_functions' count='3' autoprobe='no'/></device>\n" $pf >"$T/vfs.xml"
printf "<device><parent>0000:41:00.4</parent><capability type='vgpu'><type id='558'/></capability></device>\n" >"$T/vgpu.xml"
status_is 0 vm-hostdev-define "$T/vgpu.xml" "$T/vfs.xml"
out_is "vgpu:0000:41:00.4: defined
vfs:$pf: defined"
status_is 0 vm-hostdev-autostart vgpu:0000:41:00.4 vfs:$pf
is "$(vm virsh nodedev-list --inactive)" "vfs:$pf	-	-	-	inactive	-	-	defined, made with the host
vgpu:0000:41:00.4	-	-	-	inactive	-	-	defined, made with the host" "listed while they are not there"
like "$(vm-doctor hostdev)" "warn	hostdev	vfs:$pf is to be there with the host, and is not; vm-hostdev-start vfs:$pf" "vm-doctor misses them"
status_is 0 vm-hostdev-autostart --run
out_is "vfs:$pf: started
vgpu:0000:41:00.4: started"
is "$(vfs)" 3 "three functions"
status_is 0 vm-hostdev-autostart --run --quiet
status_is 2 vm-hostdev-autostart
status_is 2 vm-hostdev-autostart --run vfs:$pf
status_is 0 vm-hostdev-destroy vfs:$pf vgpu:0000:41:00.4
unchanged "all that is marked"
status_is 0 vm-hostdev-autostart --disable vfs:$pf
status_is 0 vm-hostdev-undefine vfs:$pf vgpu:0000:41:00.4

# ---- killed at any instruction ----
printf 'vm-hostdev 1\ndevice=vfs:%s\ncount=3\nautoprobe=yes\nphase=making\ntool=1 1 x\n' $pf >"$VM_ROOT/run/vm/hostdev/vfs:$pf"
echo 0 >"$tree/sys/bus/pci/devices/$pf/sriov_drivers_autoprobe"
like "$(vm-doctor hostdev)" "a change of vfs:$pf was interrupted; vm-repair --all" "vm-doctor tells"
status_is 0 vm-repair --all
like "$out" "vfs:$pf	put back a host device whose change was interrupted" "vm-repair puts back what nobody comes for"
unchanged "vm-repair"
for what in "--mdev=i915-GVTg_V5_4 --uuid=$uuid --attr=note=x 0000:00:02.0" "--vfs=2 --no-autoprobe $pf"; do
	killed=0
	case $what in --mdev*) key=mdev:$uuid ;; *) key=vfs:$pf ;; esac
	for n in $(seq 1 5 150); do
		"$VM_BUILD/tests/fault" kill "$n" -- vm-hostdev-create -q $what >/dev/null 2>&1 || killed=$((killed + 1))
		# vm-repair undoes it, or a second one of the kind
		case $n in *1) vm-repair -q --all 2>"$T/err" || fail "vm-repair after a kill at call $n: $(cat "$T/err")" ;; esac
		vm-hostdev-destroy -q $key 2>"$T/err" || fail "destroy after a kill at call $n: $(cat "$T/err")"
		as_before "$key: killed at call $n" || break
	done
	isnt "$killed" 0 "$key: making it was killed at $killed places, and undone by the next command"
done
killed=0
for n in $(seq 1 5 150); do
	vm-hostdev-create -q --vfs=2 --no-autoprobe $pf || fail "make the functions"
	"$VM_BUILD/tests/fault" kill "$n" -- vm-hostdev-destroy -q vfs:$pf >/dev/null 2>&1 || killed=$((killed + 1))
	vm-hostdev-destroy -q vfs:$pf 2>"$T/err" || fail "a second destroy after a kill at call $n: $(cat "$T/err")"
	as_before "destroy killed at call $n" || break
done
isnt "$killed" 0 "unmaking was killed at $killed places, and finished by the next"
done_testing
