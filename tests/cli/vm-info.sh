# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-info of guests that do not run: summary, sections, predicates, refusals.
. "$(dirname "$0")/../tap.sh"
needs vm-info vm-define
root_needed

# what differs from run to run
golden_filter() { sed -e 's/^\(since_ms	\)[0-9][0-9]*$/\1SINCE/' -e 's/"since_ms":[0-9][0-9]*/"since_ms":SINCE/'; }

truncate -s 3M "$T/a.img"
cat >"$T/web1.xml" <<END
<domain type='qemu'>
  <name>web1</name>
  <uuid>6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11</uuid>
  <title>the first	one</title>
  <memory unit='MiB'>64</memory>
  <vcpu current='2'>4</vcpu>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='$T/a.img'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
    <interface type='user'>
      <mac address='52:54:00:00:00:01'/>
      <model type='virtio'/>
    </interface>
    <graphics type='vnc' port='5901'/>
    <serial type='pty'/>
  </devices>
</domain>
END
ok "define" vm-define "$T/web1.xml"
golden help vm-info --help
golden summary vm-info web1
golden json vm-info --json web1
for section in state cpu vcpus iothreads memory interfaces hostdevs ports snapshots jobs graphics \
	consoles processes confinement; do
	golden "$section" vm-info web1 "$section"
done
golden disks sh -c 'vm-info web1 disks | cut -f 1-7,9-'
golden two-sections vm-info web1 graphics consoles
golden get vm-info --get=vcpus_max,name,uuid web1
golden get-state-reason vm-info --get=state --reason web1
golden get-unknown vm-info --get=nonsense web1
golden no-section vm-info web1 nonsense
golden is vm-info --is=shutoff web1
golden is-not vm-info --is=running web1
golden is-unknown vm-info --is=sleepy web1
golden live vm-info --live web1
golden both vm-info --live --config web1
golden nobody vm-info nobody
golden nobody-json vm-info --json nobody
golden by-uuid vm-info --get=name 6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11
golden agent vm-info web1 agent

# Edited by hand, the index is stale: the document itself tells.
sed -i 's/<vcpu current=.2.>4/<vcpu>3/' "$VM_ROOT/etc/vm/qemu/web1.xml"
status_is 0 vm-info --get=vcpus,vcpus_max web1
out_is '3
3'
# A definition that cannot be read is shown as broken by the state, and said why by the rest.
echo '<domain><name>web1' >"$VM_ROOT/etc/vm/qemu/web1.xml"
status_is 0 vm-info --is=broken web1
status_is 0 vm-info --get=name,state,machine web1
out_is 'web1
broken
-'
status_is 6 vm-info web1 disks
err_like 'web1\.xml:[0-9]+:[0-9]+: '
ok "nothing was changed" test ! -e "$VM_ROOT/run/vm/qemu/web1"

# The summary must come without XML or JSON libraries: it has to answer at once.
like "$(ldd "$VM_BUILD/bin/vm-info")" 'libc\.so' "it is linked with the C library"
unlike "$(ldd "$VM_BUILD/bin/vm-info")" 'libexpat|libjansson' "and with no library for XML or JSON"
run sh -c 'vm-info web1 >/dev/full'
is "$status" 14 "a full disk behind standard output is reported"
done_testing
