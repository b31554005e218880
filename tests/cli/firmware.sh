# SPDX-License-Identifier: LGPL-2.1-or-later
# <os firmware='efi'>: which firmware a document gets, by descriptors made here that come before all of the host's.
. "$(dirname "$0")/../tap.sh"
needs vm-export vm-define vm-undefine

dir=$VM_ROOT/etc/qemu/firmware
mkdir -p "$dir"
# What this host has is out of the way.
for file in /usr/share/qemu/firmware/*.json; do
	[ ! -e "$file" ] || : >"$dir/${file##*/}"
done

# descriptor NAME INTERFACE MACHINES FEATURES [MAPPING]
descriptor() {
	mapping=${5:-"\"device\":\"flash\",\"executable\":{\"filename\":\"/fw/$1.fd\",\"format\":\"raw\"},
		\"nvram-template\":{\"filename\":\"/fw/$1.vars\",\"format\":\"raw\"}"}
	printf '{"description":"%s","interface-types":["%s"],"mapping":{%s},"targets":[{"architecture":"x86_64","machines":[%s]}],
		"features":[%s],"tags":[]}\n' "$1" "$2" "$mapping" "$3" "$4" >"$dir/$1.json"
}
descriptor 20-keys uefi '"pc-q35-*"' '"acpi-s3","enrolled-keys","requires-smm","secure-boot"'
descriptor 30-secure uefi '"pc-q35-*"' '"acpi-s3","requires-smm","secure-boot"'
descriptor 40-plain uefi '"pc-i440fx-*","pc-q35-*"' '"acpi-s3","something-of-next-year"'
descriptor 10-arm uefi '"virt-*"' ''
descriptor 11-qcow2 uefi '"pc-q35-*"' '' '"device":"flash","executable":{"filename":"/fw/q","format":"qcow2"}'
descriptor 12-combined uefi '"pc-q35-*"' '' '"device":"flash","mode":"combined","executable":{"filename":"/fw/c","format":"raw"}'
descriptor 13-kernel uefi '"pc-q35-*"' '' '"device":"kernel","filename":"/fw/k"'
descriptor 14-odd uefi '"pc-q35-*"' '' '"device":"flash","executable":[1]'
echo junk >"$dir/.hidden.json"
echo junk >"$dir/README"

# document OS-CONTENT [MACHINE] [FIRMWARE] [FEATURES]
document() {
	cat >"$T/d.xml" <<XML
<domain type='qemu'>
  <name>g</name>
  <memory unit='MiB'>64</memory>
  <os firmware='${3:-efi}'>
    <type arch='x86_64' machine='${2:-q35}'>hvm</type>
    $1
  </os>
  <features>${4-<acpi/>}</features>
</domain>
XML
}
# "CODE VARIABLES SMM" of the document
chosen() {
	run vm-export "$T/d.xml"
	printf '%s\n' "$out" >"$T/argv"
	[ "$status" -eq 0 ] || { echo "status $status"; return; }
	code=$(sed -n 's/.*"filename":"\([^"]*\)","node-name":"libvirt-pflash0-storage".*/\1/p' "$T/argv")
	vars=$(sed -n 's/.*"filename":"\([^"]*\)","node-name":"libvirt-pflash1-storage".*/\1/p' "$T/argv")
	smm=$(grep -c 'smm=on' "$T/argv")/$(grep -c 'cfi.pflash01,property=secure,value=on' "$T/argv")
	echo "${code:-none} ${vars##*/} $smm"
}
feature() { printf "<feature enabled='%s' name='%s'/>" "$1" "$2"; }

document ""
is "$(chosen)" "/fw/20-keys.fd nvram.fd 1/1" "the first that fits, with SMM as it needs"
document "" pc
is "$(chosen)" "/fw/40-plain.fd nvram.fd 0/0" "by machine"
document "" pc-q35-6.2
is "$(chosen)" "/fw/20-keys.fd nvram.fd 1/1" "of any version"
document "<firmware>$(feature no enrolled-keys)</firmware>"
is "$(chosen)" "/fw/30-secure.fd nvram.fd 1/1" "without enrolled keys"
document "<firmware>$(feature no secure-boot)</firmware>"
is "$(chosen)" "/fw/40-plain.fd nvram.fd 0/0" "without secure boot"
document "<firmware>$(feature yes secure-boot)$(feature yes enrolled-keys)</firmware>"
is "$(chosen)" "/fw/20-keys.fd nvram.fd 1/1" "with both"
document "" q35 efi "<acpi/><smm state='off'/>"
is "$(chosen)" "/fw/40-plain.fd nvram.fd 0/0" "with SMM off, one that needs none"
document "<nvram>/my/vars</nvram>"
is "$(chosen)" "/fw/20-keys.fd vars 1/1" "the file of variables is the document's"
document "<loader readonly='yes' type='pflash'>/my/code</loader><nvram template='/my/t'>/my/vars</nvram>"
is "$(chosen)" "/my/code vars 0/0" "a loader that is named is taken"

: >"$dir/20-keys.json"
document ""
is "$(chosen)" "/fw/30-secure.fd nvram.fd 1/1" "an empty descriptor hides one"
descriptor 15-rom uefi '"pc-q35-*"' '' '"device":"memory","filename":"/fw/rom"'
document "<loader stateless='yes'/>"
chosen >/dev/null
like "$(cat "$T/argv")" '-bios /fw/rom' "stateless: a ROM"
descriptor 15-rom uefi '"pc-q35-*"' '' '"device":"flash","mode":"stateless","executable":{"filename":"/fw/s","format":"raw"}'
is "$(chosen)" "/fw/s  0/0" "or flash without variables"
document "<loader stateless='no'/>"
is "$(chosen)" "/fw/30-secure.fd nvram.fd 1/1" "not stateless: one with them"
document "" q35 bios
is "$(chosen)" "none  0/0" "a BIOS is QEMU's own"
descriptor 90-bios bios '"pc-*"' '' '"device":"memory","filename":"/fw/bios"'
chosen >/dev/null
like "$(cat "$T/argv")" '-bios /fw/bios' "unless one is described"

# ---- none, and bad ones ----
document "<firmware>$(feature yes secure-boot)</firmware>" pc
golden none vm-export "$T/d.xml"
status_is 0 vm-define -q "$T/d.xml"
status_is 0 vm-undefine -q g
run vm-export -v "$T/d.xml"
like "$err" '40-plain.json: it has no secure boot' "--verbose tells why each was passed over"
echo '{"interface-types":["uefi"],,}' >"$dir/50-bad.json"
document "" pc
is "$(chosen)" "/fw/40-plain.fd nvram.fd 0/0" "what comes after the choice is not looked at"
document "<firmware>$(feature yes secure-boot)</firmware>" pc
golden malformed vm-export "$T/d.xml"
head -c 70000 /dev/zero | tr '\0' ' ' >"$dir/50-bad.json"
status_is 6 vm-export "$T/d.xml"
rm "$dir/50-bad.json"

refuse() { # NAME OS-CONTENT [FIRMWARE] [FEATURES]
	document "$2" q35 "${3:-efi}" "${4-<acpi/>}"
	golden "$1" sh -c 'cd "$T" && vm-define d.xml'
}
refuse insecure "<loader secure='no'/>"
refuse readonly "<loader readonly='yes'/>"
refuse template "<nvram template='/t'/>"
refuse no-acpi "" efi ""
refuse bios-nvram "<nvram>/n</nvram>" bios
refuse bios-stateless "<loader stateless='no'/>" bios
refuse bios-feature "<firmware>$(feature yes secure-boot)</firmware>" bios
refuse keys-alone "<firmware>$(feature no secure-boot)$(feature yes enrolled-keys)</firmware>"
refuse twice "<firmware>$(feature yes secure-boot)$(feature no secure-boot)</firmware>"
refuse unknown "<firmware>$(feature yes speed)</firmware>"
refuse kind "" coreboot
leftovers
done_testing
