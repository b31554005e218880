# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 300
# Guests with <os firmware='efi'>: firmware of this host runs, keeps its variables, and loses them when told to.
. "$(dirname "$0")/../tap.sh"
needs vm-define vm-undefine vm-start vm-destroy vm-info vm-dumpxml vm-export
root_needed
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"
ls /usr/share/qemu/firmware/*.json >/dev/null 2>&1 || skip_all "no firmware descriptors (package ovmf)"

# document MACHINE FIRMWARE-CONTENT
document() {
	: >"$T/console"
	chmod 666 "$T/console"
	cat >"$T/g.xml" <<XML
<domain type='qemu'>
  <name>g</name>
  <uuid>6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11</uuid>
  <memory unit='MiB'>128</memory>
  <os firmware='efi'>
    <type arch='x86_64' machine='$1'>hvm</type>$2
  </os>
  <features><acpi/></features>
  <devices>
    <serial type='file'><source path='$T/console'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
XML
}
# It has set up the machine, looked for something to boot, and found what it brings itself, or nothing.
boots() { wait_for 60 "$1" grep -aq 'BdsDxe: ' "$T/console"; }
nvram=$VM_ROOT/var/lib/vm/qemu/g/nvram.fd

# ---- secure boot, the vendor's keys, SMM ----
document q35 ""
status_is 0 vm-define -q "$T/g.xml"
argv=$(vm-export g)
status_is 0 vm-start --paused g
live=$(vm-dumpxml g)
vm-destroy -q g
like "$live" "<loader readonly='yes' secure='yes' type='pflash'>/" "the running guest's document tells the choice"
template=$(printf '%s\n' "$live" | sed -n "s/.*<nvram template='\([^']*\)'.*/\1/p")
ok "its variables were made from the template" cmp -s "$template" "$nvram"
is "$(stat -c %a "$nvram")" 600 "nobody else reads them"
is "$(vm-start --print g)" "$argv" "what is started is what is printed"
status_is 0 vm-start g
boots "the firmware runs"
vm-destroy -q g
ok "and keeps variables" sh -c '! cmp -s "$1" "$2"' sh "$template" "$nvram"
cp "$nvram" "$T/kept"
printf '%s\n' "$live" >"$T/live.xml"
status_is 0 vm-define "$T/live.xml"
like "$(vm-export g)" "$(printf '%s\n' "$argv" | grep -o '/[^"]*CODE[^"]*' | head -n 1)" "a running guest's document can be defined"
status_is 0 vm-define -q "$T/g.xml"

# ---- a start that fails leaves them as they were ----
mkdir -p "$VM_ROOT/etc/vm/hooks"
printf '#!/bin/sh\n[ "$2" != start ]\n' >"$VM_ROOT/etc/vm/hooks/qemu"
chmod 755 "$VM_ROOT/etc/vm/hooks/qemu"
status_is 4 vm-start --reset-nvram g
ok "a start that was refused changes no variable" cmp -s "$nvram" "$T/kept"
rm "$VM_ROOT/etc/vm/hooks/qemu"
is "$(ls "${nvram%/*}" | grep -c nvram)" 1 "and leaves nothing beside them"
status_is 0 vm-start --paused g
ok "an ordinary start keeps them" cmp -s "$nvram" "$T/kept"
vm-destroy -q g
status_is 0 vm-start --paused --reset-nvram g
ok "--reset-nvram makes them anew" cmp -s "$nvram" "$template"
is "$(ls "${nvram%/*}" | grep -c nvram)" 1 "and leaves nothing of the old ones"
vm-destroy -q g

# ---- without ----
status_is 10 vm-undefine g
err_is "vm-undefine: g: has NVRAM: $nvram; say --nvram to remove it or --keep-nvram to keep it"
status_is 0 vm-undefine --nvram g
ok "nothing is left of it" test ! -e "${nvram%/*}"
for machine in q35 pc; do
	document $machine "<firmware><feature enabled='no' name='secure-boot'/></firmware>"
	status_is 0 vm-define -q "$T/g.xml"
	status_is 0 vm-start g
	boots "firmware without secure boot runs on $machine"
	vm-destroy -q g
	status_is 0 vm-undefine -q --nvram g
done
leftovers
done_testing
