# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-edit: by an editor and by paths; what it keeps and what it refuses.
. "$(dirname "$0")/../tap.sh"
needs vm-edit vm-define vm-dumpxml

cat >"$T/web1.xml" <<'END'
<domain type="qemu">
  <name>web1</name>
  <uuid>6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11</uuid> <!-- fixed -->
  <memory unit="MiB">64</memory>
  <vcpu>1</vcpu>
  <os><type arch="x86_64" machine="pc-q35-7.2">hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type="file" device="disk">
      <source file="/img/vda"/> <!-- root -->
      <target dev="vda"/>
    </disk>
    <disk type="file" device="disk">
      <driver name="qemu" type="raw"/>
      <source file="/img/vdb"/>
      <target dev="vdb"/>
    </disk>
    <graphics type="vnc" passwd="geheim"/>
  </devices>
</domain>
END
TMPDIR=$T
export TMPDIR
stored=$VM_ROOT/etc/vm/qemu/web1.xml
changes() { diff "$T/before" "$stored" | grep '^[<>]'; }
left() { ls "$T" | grep '^vm-edit' || :; }

status_is 0 vm-define "$T/web1.xml"
cp "$stored" "$T/before"

# ---- paths ----
status_is 0 vm-edit web1 --set vcpu=2 --set=/domain/memory=128
is "$out" "web1: changed" "says so"
is "$(changes)" '<   <memory unit="MiB">64</memory>
<   <vcpu>1</vcpu>
>   <memory unit="MiB">128</memory>
>   <vcpu>2</vcpu>' "these two lines are changed, and no other"
status_is 0 vm-edit web1 --set vcpu=2
is "$out" "web1: unchanged" "a second time nothing is"

cp "$stored" "$T/before"
status_is 0 vm-edit web1 --set "devices/disk[target/@dev='vda']/driver/@cache=none" --set "devices/disk[target/@dev='vda']/driver/@io=native" --json
is "$out" '{"schema":"vm-edit/1","name":"web1","uuid":"6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11","changed":true}' "--json"
is "$(changes)" ">       <driver cache='none' io='native'/>" "a missing element is made, once"
status_is 0 vm-edit web1 --remove "devices/disk[1]/driver" --set 'devices/disk[@type="file"]/serial=s' --set title=a,b=c
is "$(changes)" '>       <serial>s</serial>
>       <serial>s</serial>
>   <title>a,b=c</title>' "all that a path names; commas and = in a value"
status_is 0 vm-edit web1 --remove '//serial' --remove '//graphics/@passwd' --remove title
is "$(changes)" '<     <graphics type="vnc" passwd="geheim"/>
>     <graphics type="vnc"/>' "an attribute removed"

cp "$stored" "$T/before"
refused() {
	want=$1 message=$2
	shift 2
	run vm-edit web1 "$@"
	is "$status" "$want" "refused: $*"
	err_like "$message"
	is "$(changes)" "" "and nothing changed"
}
refused 2 "vm-edit: 'vcpu' is not PATH=VALUE" --set vcpu
refused 2 "'disk\[\]' is not an XPath" --set 'disk[]=1'
refused 2 "'count\(//disk\)' is a value, not a place" --set 'count(//disk)=1'
refused 2 "<disk> has elements in it" --set 'devices/disk[1]=x'
refused 5 "nothing that 'devices/floppy' names" --remove devices/floppy
refused 5 "nothing that '//floppy/@x' names" --set //floppy/@x=1
refused 2 "the root element cannot be removed" --remove /domain
refused 6 "web1.xml:5:3: <vcpu>: 'many' is not a number" --set vcpu=many
refused 3 "<domain> attribute 'x' is not supported yet" --set @x=1
refused 6 "a guest is not renamed by editing it; vm-rename web1 NEW" --set name=web2
refused 10 "already with UUID" --set uuid=6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a12
status_is 0 vm-edit web1 --diff --set vcpu=4
is "$out" "vcpu/#text	2	4" "--diff shows it"
status_is 0 vm-edit web1 --dry-run --set vcpu=4
is "$(changes)" "" "--diff and --dry-run change nothing"

# ---- the editor ----
EDITOR='sed -i s/vcpu.2/vcpu\>3/' VISUAL=
export EDITOR VISUAL
status_is 0 vm-edit web1
is "$(changes)" '<   <vcpu>2</vcpu>
>   <vcpu>3</vcpu>' "by EDITOR"
status_is 0 vm-edit --editor 'sed -i s/vcpu.3/vcpu\>2/' web1
is "$(changes)" "" "by --editor"
status_is 0 vm-edit --editor true web1
is "$out" "web1: unchanged" "left as it was"
is "$(left)" "" "no copy is left behind"

run vm-edit --editor 'sed -i s,/vcpu,/vcp,' web1
is "$status" 6 "malformed"
err_like "vm-edit: $T/vm-edit\.[A-Za-z0-9]+\.xml:5:10: </vcp> instead of </vcpu> .*; what you wrote is kept in $T/vm-edit"
ok "and it is kept" grep -q '</vcp>' "$T/$(left)"
is "$(stat -c %a "$T/$(left)")" 600 "for its owner alone"
rm -f "$T/$(left)"
run vm-edit --editor false web1
is "$status" 14 "an editor that fails"
err_like "vm-edit: the editor 'false' failed \(status 1\)"
rm -f "$T"/vm-edit.*
run vm-edit --editor "sed -i s/vcpu.2/vcpu\>3/ \"\$1\"; echo '<!-- me first -->' >>'$stored'; :" web1
is "$status" 10 "changed by another meanwhile"
err_like "vm-edit: web1: the definition was changed meanwhile; what you wrote is kept"
rm -f "$T"/vm-edit.*
is "$(diff "$T/before" "$stored")" "$(wc -l <"$T/before")a$(($(wc -l <"$T/before") + 1))
> <!-- me first -->" "the other's change stands"

# A definition that cannot be read any more is what an editor is for.
sed -i 's/<vcpu>/<vcpux>/' "$stored"
status_is 0 vm-edit --editor 'sed -i s/vcpux/vcpu/' web1
status_is 0 vm-edit web1 --set vcpu=1

# On a terminal it asks, and opens the same text again.
if command -v script >/dev/null; then
	cat >"$T/editor" <<'END'
if grep -q 'vcpu>bad' "$1"; then sed -i 's/vcpu>bad/vcpu>5/' "$1"; else sed -i 's/vcpu>1/vcpu>bad/' "$1"; fi
END
	echo y | script -qec "vm-edit --editor 'sh $T/editor' web1" /dev/null >"$T/tty" 2>&1
	is "$?" 0 "edited again after a mistake"
	like "$(cat "$T/tty")" "<vcpu>: 'bad' is not a number" "which was named"
	ok "the mended text is stored" grep -q '<vcpu>5' "$stored"
	sed -i 's/vcpu>5/vcpu>1/' "$stored"
	echo n | script -qec "vm-edit --editor 'sh $T/editor' web1" /dev/null >"$T/tty" 2>&1
	is "$?" 6 "not edited again"
	ok "nothing is stored" grep -q '<vcpu>1' "$stored"
	rm -f "$T"/vm-edit.*
else
	skip 5 "no script(1) for a terminal"
fi

run vm-edit nobody --set vcpu=1
is "$status" 5 "no such guest"
run vm-edit
is "$status" 2 "no guest"
run vm-edit web1 web2 --set vcpu=1
is "$status" 2 "two guests"
done_testing
