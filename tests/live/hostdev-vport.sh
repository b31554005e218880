# SPDX-License-Identifier: LGPL-2.1-or-later
# Virtual ports (NPIV) of Fibre Channel adapters against a process that plays the kernel's part: made from libvirt's documents or by
# option, defined, found by virsh's names, unmade; refused with the reason; killed at any instruction nothing of one is left.
# timeout: 300
. "$(dirname "$0")/../tap.sh"
needs vm-hostdev-create vm-hostdev-destroy vm-hostdev-define vm-hostdev-start vm-repair
. "$VM_SOURCE/tests/lib/kernel.sh"
host_rows <<'END'
driver lpfc 10df:f100
pci 0000:05:00.0 10df:f100 0c0400 group=9 driver=lpfc
pci 0000:05:00.1 10df:f100 0c0400 group=9 driver=lpfc
fchost host5 wwpn=10000000c9831b4b wwnn=20000000c9831b4b on=0000:05:00.0 npiv=2
fchost host7 wwpn=10000000c9831b4c wwnn=20000000c9831b4c on=0000:05:00.1
END
snapshot_more() { cat "$tree/sys/class/fc_host/host5/npiv_vports_inuse"; }
host_begin
document() { # PARENT [MORE]
	echo "<device><name>scsi_host60</name><parent>$1</parent><capability type='scsi_host'><capability type='fc_host'>${2:-}</capability></capability></device>"
}

# ---- there and back ----
document scsi_host5 '<wwnn>2001001B32A9DA5E</wwnn><wwpn>0x2101001b32a9da5e</wwpn>' >"$T/port.xml"
status_is 0 vm-hostdev-create "$T/port.xml"
out_is "vport:2101001b32a9da5e: created"
is "$(cat "$ctl/log")" "vport host60 2101001b32a9da5e:2001001b32a9da5e" "port and node, in the kernel's order"
status_is 0 vm-hostdev-create "$T/port.xml"
out_is "vport:2101001b32a9da5e: created already"
document scsi_host5 '<wwnn>2001001b32a9da5f</wwnn><wwpn>2101001b32a9da5e</wwpn>' >"$T/other.xml"
status_is 10 vm-hostdev-create "$T/other.xml"
err_like 'vport:2101001b32a9da5e is there already, with node 2001001b32a9da5e on host5'
status_is 0 vm-hostdev-destroy scsi_host60
out_is "scsi_host60: destroyed"
unchanged "by virsh's names"
status_is 0 vm-hostdev-create --vport=2101001b32a9da5e:2001001b32a9da5e scsi_host5
status_is 0 vm-hostdev-destroy --json vport:2101001B32A9DA5E
out_like '"changed":true'
status_is 0 vm-hostdev-destroy vport:2101001b32a9da5e
out_is "vport:2101001b32a9da5e: destroyed already"
unchanged "by its port's name"
# libvirt's other ways to say which adapter
adapter() { document x "<wwnn>2001001b32a9da5e</wwnn><wwpn>2101001b32a9da5e</wwpn>" | sed "s|<parent>x</parent>|$1|" >"$T/adapter.xml"; }
other() { # ADAPTER
	adapter "$1"
	status_is 0 vm-hostdev-create "$T/adapter.xml"
	is "$(vm-hostdev-destroy -v vport:2101001b32a9da5e 2>&1 | grep -o 'vport_delete of host[0-9]*')" "vport_delete of host5" "by $1"
	unchanged "$1"
}
other "<parent wwnn='20000000C9831B4B' wwpn='0x10000000c9831b4b'/>"
other ""
adapter "<parent wwnn='20000000c9831b4c' wwpn='10000000c9831b4c'/>"
status_is 3 vm-hostdev-create "$T/adapter.xml"
err_like 'host7 makes no virtual ports'
adapter "<parent wwnn='20000000c9831b4c' wwpn='10000000c9831b4b'/>"
status_is 5 vm-hostdev-create "$T/adapter.xml"
err_like 'there is no Fibre Channel host with node 20000000c9831b4c and port 10000000c9831b4b'
adapter "<parent fabric_wwn='2002000dec9a1234'/>"
status_is 5 vm-hostdev-create "$T/adapter.xml"
err_like 'no Fibre Channel host is on the fabric 2002000dec9a1234'
echo 0x2002000dec9a1234 >"$tree/sys/class/fc_host/host5/fabric_name"
status_is 0 vm-hostdev-create "$T/adapter.xml"
status_is 0 vm-hostdev-create "$T/adapter.xml"
out_is "vport:2101001b32a9da5e: created already"
vm-hostdev-destroy -q vport:2101001b32a9da5e
rm "$tree/sys/class/fc_host/host5/fabric_name"
adapter "<parent wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/>"
ok "made, and a second one, so that the adapter has no more" sh -c 'vm-hostdev-create -q "$1" && vm-hostdev-create -q --vport=2101001b32a9da60 host5' sh "$T/adapter.xml"
status_is 0 vm-hostdev-create "$T/adapter.xml"
out_is "vport:2101001b32a9da5e: created already"
adapter "" && sed -i s/2101001b32a9da5e/2101001b32a9da61/ "$T/adapter.xml"
status_is 10 vm-hostdev-create "$T/adapter.xml"
err_like 'host5 has as many virtual ports as it can .2.'
vm-hostdev-destroy -q vport:2101001b32a9da5e vport:2101001b32a9da60
for bad in "<parent wwnn='20000000c9831b4c'/>" "<parent wwpn='x' wwnn='y'/>" "<parent fabric_wwn='2002000dec9a1234'>scsi_host5</parent>"; do
	adapter "$bad"
	status_is 6 vm-hostdev-create "$T/adapter.xml"
done
unchanged "other ways"
status_is 0 vm-hostdev-create --vport=new scsi_host5
out_like '^vport:5001a4a[0-9a-f]{9}: created'
made=${out%%: *}
status_is 0 vm-hostdev-create --vport=new host5
second=${out%%: *}
isnt "$second" "$made" "names that are made up differ"
status_is 10 vm-hostdev-create --vport=new scsi_host5
err_like 'host5 has as many virtual ports as it can .2.'
host=$(basename "$(dirname "$(grep -l "${second#vport:}" "$tree"/sys/class/fc_host/*/port_name)")")
status_is 3 vm-hostdev-create --vport=new "scsi_$host"
err_like "$host makes no virtual ports; it is one itself, of host5"
status_is 0 vm-hostdev-destroy "$made" "scsi_$host"
unchanged "made up names"

# ---- refused ----
: >"$ctl/log"
status_is 3 vm-hostdev-create --vport=new scsi_host7
err_like 'host7 makes no virtual ports; its adapter, or the switch it is connected to, has no NPIV'
status_is 5 vm-hostdev-create --vport=new scsi_host9
err_like 'there is no Fibre Channel host host9'
status_is 6 vm-hostdev-create --vport=new 0000:05:00.0
err_like "is no SCSI host: scsi_host5"
status_is 2 vm-hostdev-create --vport=12 scsi_host5
err_like 'is not WWPN\[:WWNN\]'
status_is 2 vm-hostdev-create --vport=new --vfs=1 scsi_host5
document scsi_host5 '<wwpn>21</wwpn>' >"$T/bad.xml"
status_is 6 vm-hostdev-create "$T/bad.xml"
err_like "bad.xml:1:[0-9]+: '21' is not 16 hexadecimal digits"
document ../host5 >"$T/bad.xml"
status_is 6 vm-hostdev-create "$T/bad.xml"
status_is 0 vm-hostdev-create --dry-run --vport=2101001b32a9da5e:2001001b32a9da5e scsi_host5
like "$out$err" 'write 2101001b32a9da5e:2001001b32a9da5e to vport_create of host5' "--dry-run names the step"
: >"$ctl/fail-vport_create"
status_is 14 vm-hostdev-create "$T/port.xml"
err_like 'make the virtual port 2101001b32a9da5e on host5: .*Input/output error; the kernel.s messages say why'
rm "$ctl/fail-vport_create"
is "$(cat "$ctl/log")" "" "nothing was made"
: >"$ctl/hang-vport_create"
status_is 12 vm-hostdev-create --timeout=2 "$T/port.xml"
err_like 'host5 does not make the virtual port'
rm "$ctl/hang-vport_create"
wait_for 10 "the kernel comes back" grep -q vport "$ctl/log"
status_is 0 vm-repair --all
vm-hostdev-destroy -q vport:2101001b32a9da5e
unchanged "an adapter that hung"

# ---- its disks ----
status_is 0 vm-hostdev-create "$T/port.xml"
host=$(basename "$(dirname "$(grep -l 2101001b32a9da5e "$tree"/sys/class/fc_host/*/port_name)")")
echo "scsi ${host#host}:0:0:0 sg=sg9 block=sdz,65:144 on=virtual
mount 65:144 /srv" | "$VM_BUILD/tests/fake-sysfs" "$tree"
status_is 10 vm-hostdev-destroy vport:2101001b32a9da5e
err_like "scsi:${host#host}:0:0:0 of $host: its sdz is mounted at /srv; end that use, or give --force"
status_is 0 vm-hostdev-destroy --force vport:2101001b32a9da5e
rm -r "$tree/sys/bus/scsi" "$tree/sys/devices/virtual" "$tree/sys/class/block" "$tree/sys/dev" "$tree/proc/self/mountinfo"
rmdir "$tree/proc/self" "$tree/proc" 2>/dev/null
snapshot | diff "$T/before" - >"$T/diff"
snapshot >"$T/before"

# ---- defined ----
document scsi_host5 >"$T/defined.xml"
status_is 0 vm-hostdev-define "$T/defined.xml"
out_like '^vport:5001a4a[0-9a-f]{9}: defined'
key=${out%%: *}
like "$(cat "$VM_ROOT/etc/vm/hostdev/$key.xml")" "<wwpn>${key#vport:}</wwpn>" "the name it got is in the definition"
is "$(vm-hostdev-list --all | grep "^$key" | cut -f5)" inactive "listed"
status_is 0 vm-hostdev-start "$key"
is "$(grep -l "${key#vport:}" "$tree"/sys/class/fc_host/*/port_name | wc -l)" 1 "and made"
is "$(vm-hostdev-list --all | grep -c "^$key")" 0 "not inactive any more"
status_is 0 vm-hostdev-destroy "$key"
status_is 0 vm-hostdev-undefine "$key"
unchanged "defined"

# ---- killed at any instruction ----
killed=0
for n in $(seq 1 3 140); do
	"$VM_BUILD/tests/fault" kill "$n" -- vm-hostdev-create -q "$T/port.xml" >/dev/null 2>&1 || killed=$((killed + 1))
	vm-repair -q --all 2>"$T/err" || fail "vm-repair after a kill at call $n: $(cat "$T/err")"
	vm-hostdev-destroy -q vport:2101001b32a9da5e 2>"$T/err" || fail "destroy after a kill at call $n: $(cat "$T/err")"
	as_before "killed at call $n" || break
done
isnt "$killed" 0 "making was killed at $killed places, and nothing was left"
umount "$VM_SYSROOT"
done_testing
