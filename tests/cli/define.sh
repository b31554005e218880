# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-define: what it writes, what it keeps, what it refuses.
. "$(dirname "$0")/../tap.sh"
needs vm-define

golden_filter() {
	sed -e 's/[0-9a-f]\{8\}-[0-9a-f]\{4\}-4[0-9a-f]\{3\}-[0-9a-f]\{4\}-[0-9a-f]\{12\}/UUID/g' \
		-e 's/52:54:00:[0-9a-f:]\{8\}/MAC/g'
}
etc=$VM_ROOT/etc/vm/qemu

# doc NAME MACHINE: a document with DEVICES, as short as it can be
doc() {
	cat <<END
<domain type='qemu'>
  <name>$1</name><!-- mine -->
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='$2'>hvm</type></os>
  <devices>
	<emulator>/usr/bin/qemu-system-x86_64</emulator>
$3
  </devices>
</domain>
END
}
disk() { echo "<disk type='file' device='disk'><source file='/img/$1'/><target dev='$1'/></disk>"; }

# ---- the first time, and again ----
plain="$(disk vda)
$(disk vdb)
<interface type='user'/><interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface>
<serial type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<graphics type='vnc' passwd='geheim'/>"
for machine in q35 pc; do
	doc "g$machine" $machine "$plain" >"$T/$machine.xml"
	golden $machine-first vm-define "$T/$machine.xml"
	golden $machine-kept cat "$etc/g$machine.xml"
	cp "$etc/g$machine.xml" "$T/first"
	golden $machine-again vm-define "$T/$machine.xml"
	ok "$machine: not a byte changed" cmp "$T/first" "$etc/g$machine.xml"
	cp "$T/first" "$T/full.xml"
	run vm-define "$T/full.xml"
	out_is "g$machine: unchanged" "$machine: what was completed is complete"
	ok "$machine: nor by that" cmp "$T/first" "$etc/g$machine.xml"
	status_is 0 vm-define --diff "$T/$machine.xml"
	out_is "" "$machine: no difference"
done
is "$(readlink "$etc/by-uuid/"* | sort | tr '\n' ' ')" "../gpc.xml ../gq35.xml " "the index of UUIDs"
is "$(stat -c %a "$etc/gq35.xml")" 600 "nobody else reads a definition"

# ---- removing and adding moves nothing ----
address() { sed -n "/<target dev='$2'/,/<\/disk>/s/.*<address type='pci' domain='0x0000' bus='\([^']*\)' slot='\([^']*\)'.*/\1:\2/p" "$etc/$1.xml"; }
places() {
	sed -n '/<interface\|<disk\|<memballoon\|<video/,/<\/interface\|<\/disk\|<\/memballoon\|<\/video/p' "$etc/$1.xml" |
		sed -n 's/.*\(<mac address=.*\)/\1/p; s/.*\(<address.*\)/\1/p; s/.*\(<target dev=.[a-z]*.\).*/\1/p; s/.*<\(memballoon\|video\)>*.*/\1/p'
}
for machine in q35 pc; do
	b=$(address g$machine vdb)
	like "$b" '^0x..:0x..$' "$machine: vdb has an address"
	places g$machine | grep -v vda >"$T/before"
	doc g$machine $machine "$(printf '%s\n' "$plain" | grep -v "img/vda")" >"$T/less.xml"
	status_is 0 vm-define "$T/less.xml"
	is "$(address g$machine vdb)" "$b" "$machine: a disk stays when another goes"
	is "$(places g$machine | grep -c memballoon)" 1 "$machine: one balloon"
	places g$machine >"$T/after"
	is "$(grep mac "$T/after")" "$(grep mac "$T/before")" "$machine: the MACs stay"
	is "$(tail -n 2 "$T/after")" "$(tail -n 2 "$T/before")" "$machine: so does the balloon"
	run vm-define "$T/less.xml"
	out_is "g$machine: unchanged" "$machine: and that is stable"

	doc g$machine $machine "$(disk vdc)
$(printf '%s\n' "$plain" | grep -v "img/vda")" >"$T/more.xml"
	status_is 0 vm-define "$T/more.xml"
	is "$(address g$machine vdb)" "$b" "$machine: a disk stays when one is put before it"
	is "$(places g$machine | tail -n 2)" "$(tail -n 2 "$T/before")" "$machine: so does the balloon"
	is "$(places g$machine | grep mac)" "$(grep mac "$T/before")" "$machine: and the MACs"
	run vm-define "$T/more.xml"
	out_is "g$machine: unchanged" "$machine: stable again"
done
mac() { sed -n "s/.*<mac address='\([^']*\)'.*/\1/p" "$etc/$1.xml" | sed -n "$2p"; }
second=$(mac gq35 2)
doc gq35 q35 "$(printf '%s\n' "$plain" | sed "s,<interface type='user'/>,,")" >"$T/nouser.xml"
status_is 0 vm-define "$T/nouser.xml"
is "$(mac gq35 1)" "$second" "an interface does not get the MAC of one that is gone"


qxl() { echo "<video><model type='qxl' heads='$1'/></video>"; }
cards() { sed -n "/heads='$1'/,/<address/s/.*<address \(.*\)\/>.*/\1/p" "$etc/cards.xml"; }
doc cards q35 "<graphics type='vnc'/>$(qxl 1)
$(qxl 2)
$(qxl 3)" >"$T/cards.xml"
status_is 0 vm-define "$T/cards.xml"
third=$(cards 3)
isnt "$third" "" "the third card has an address"
grep -v "heads='2'" "$T/cards.xml" >"$T/fewer.xml"
status_is 0 vm-define "$T/fewer.xml"
is "$(cards 3)" "$third" "of several alike each keeps its own"

# ---- a device that changes its kind ----
doc gq35 q35 "$(disk vda | sed "s/dev='vda'/dev='sdx' bus='sata'/")" >"$T/kind.xml"
status_is 0 vm-define "$T/kind.xml"
sed -i "s/bus='sata'/bus='usb'/" "$T/kind.xml"
status_is 0 vm-define "$T/kind.xml"
like "$(cat "$etc/gq35.xml")" "<address type='usb' bus='0' port='1'/>" "gets an address of its new kind"
doc gq35 pc "$(disk vda)" >"$T/kind.xml"
status_is 0 vm-define "$T/kind.xml"
like "$(cat "$etc/gq35.xml")" "model='pci-root'" "another machine has its own buses"
run vm-define "$T/kind.xml"
out_is "gq35: unchanged"

# ---- the machine's version ----
sed "s/pc-i440fx-[0-9.]*/pc-i440fx-6.2/" "$etc/gpc.xml" >"$T/old.xml"
status_is 0 vm-define "$T/old.xml"
doc gpc pc "$(disk vda)" >"$T/pc.xml"
status_is 0 vm-define "$T/pc.xml"
like "$(cat "$etc/gpc.xml")" "machine='pc-i440fx-6.2'" "'pc' keeps the version it has"

# ---- what is shown ----
doc diff q35 "$plain" >"$T/diff.xml"
status_is 0 vm-define --diff "$T/diff.xml"
out_is "$(printf 'diff\tdomain\t-\tdiff')" "a new guest"
status_is 0 vm-define --dry-run "$T/diff.xml"
like "$out" "^write .*/qemu/diff.xml$" "--dry-run names the step"
ok "nothing was written" test ! -e "$etc/diff.xml"
status_is 0 vm-define -q "$T/diff.xml"
out_is ""
sed -i 's/>64</>128</; s/geheim/anders/; s,<serial,<boot order="1"/><serial,' "$T/diff.xml"
status_is 3 vm-define --diff "$T/diff.xml"
sed -i 's,<boot order="1"/>,,' "$T/diff.xml"
golden diff vm-define --diff "$T/diff.xml"
golden diff-json vm-define --diff --json "$T/diff.xml"
sed -i 's/>128</>64</; s/anders/geheim/; s/mine/yours/' "$T/diff.xml"
golden diff-layout vm-define --diff "$T/diff.xml"
golden json vm-define --json "$T/diff.xml"
golden json-again vm-define --json "$T/diff.xml"

# ---- what is refused ----
doc new q35 "$(disk vda)" >"$T/new.xml"
uuid=$(sed -n 's,.*<uuid>\(.*\)</uuid>.*,\1,p' "$etc/diff.xml")
sed "s,<memory,<uuid>$uuid</uuid><memory," "$T/new.xml" >"$T/taken.xml"
golden uuid-taken vm-define "$T/taken.xml"
ok "nothing was written" test ! -e "$etc/new.xml"
sed "s,<memory,<uuid>6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11</uuid><memory," "$T/diff.xml" >"$T/other.xml"
golden uuid-other vm-define "$T/other.xml"
sed 's/memory/memroy/g' "$T/new.xml" >"$T/unknown.xml"
golden unknown vm-define "$T/unknown.xml"
sed 's/64/0/' "$T/new.xml" >"$T/bad.xml"
golden bad vm-define "$T/bad.xml"
golden bad-json vm-define --json "$T/bad.xml"
sed 's/>new</>-new</' "$T/new.xml" >"$T/name.xml"
golden bad-name vm-define "$T/name.xml"
printf '<domain' >"$T/cut.xml"
status_is 6 vm-define "$T/cut.xml"
status_is 5 vm-define "$T/none.xml"
golden several vm-define "$T/bad.xml" "$T/new.xml" "$T/none.xml"
ok "the good one is defined" test -e "$etc/new.xml"
status_is 2 vm-define
doc "broken" q35 "" >"$T/broken.xml"
status_is 0 vm-define "$T/broken.xml"
echo '<domain' >"$etc/broken.xml"
golden broken-replaced vm-define "$T/broken.xml"

# ---- beside libvirtd ----
mkdir -p "$VM_ROOT/run/libvirt/qemu"
echo data >"$T/theirs.img"
cat >"$VM_ROOT/run/libvirt/qemu/their.xml" <<END
<domstatus state='running' reason='booted' pid='$$'>
  <domain type='kvm' id='3'>
    <name>their</name>
    <uuid>0f4f1b7c-59a7-4e4e-8c0c-53e2d1b9a001</uuid>
    <devices>
      <disk type='file' device='disk'><source file='$T/theirs.img'/><target dev='vda' bus='virtio'/></disk>
    </devices>
  </domain>
</domstatus>
END
doc mine q35 "" | sed "s,<memory,<uuid>0f4f1b7c-59a7-4e4e-8c0c-53e2d1b9a001</uuid><memory," >"$T/mine.xml"
golden libvirt-uuid vm-define "$T/mine.xml"
doc mine q35 "<disk type='file'><source file='$T/theirs.img'/><target dev='vda'/></disk>" >"$T/mine.xml"
golden libvirt-image vm-define "$T/mine.xml"
ok "neither is defined" test ! -e "$etc/mine.xml"
rm "$VM_ROOT/run/libvirt/qemu/their.xml"
status_is 0 vm-define "$T/mine.xml"

# ---- another encoding ----
{ echo "<?xml version='1.0' encoding='ISO-8859-1'?>"; doc latin q35 "" | sed "s,<os>,<title>Gr\xfc\xdfe</title><os>,"; } >"$T/latin.xml"
status_is 0 vm-define "$T/latin.xml"
err_like "converted from ISO-8859-1 to UTF-8"
ok "kept in UTF-8" grep -q 'Grüße' "$etc/latin.xml"
run vm-define -q "$T/latin.xml"
is "$status$out$err" 0 "and the same again"

# ---- standard input, and a place that cannot be written ----
vm-define -q - <"$T/new.xml"
is "$?" 0 "from standard input"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=16k tmpfs "$T/r" 2>/dev/null; then
	at_exit "umount -l '$T/r'"
	mkdir -p "$etc"
	dd if=/dev/zero of="$etc/.fill" bs=1k count=64 2>/dev/null
	run vm-define "$T/new.xml"
	isnt "$status" 0 "a full disk"
	ok "and no definition" test ! -e "$etc/new.xml"
	is "$(ls "$etc/by-uuid" 2>/dev/null)" "" "nor a UUID"
else
	skip 3 "no tmpfs can be mounted"
fi
done_testing
