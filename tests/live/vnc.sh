# SPDX-License-Identifier: LGPL-2.1-or-later
# A VNC client meets the password of the definition, and it is in no place where it can be read.
. "$(dirname "$0")/../tap.sh"
needs vm-create vm-define vm-start vm-destroy vm-info vm-qmp vm-dumpxml
command -v python3 >/dev/null && command -v openssl >/dev/null || skip_all "no python3 or no openssl"

# document NAME ATTRIBUTES
document() {
	guest_xml "$1" "<graphics type='vnc' port='-1' autoport='yes' $2><listen type='address' address='127.0.0.1'/></graphics>" >"$T/$1.xml"
	chmod 600 "$T/$1.xml"
}
start() {
	document "$1" "$2"
	status_is 0 vm-create "$T/$1.xml"
	port=$(sed -n "s/.*<graphics .*port='\([0-9]*\)'.*/\1/p" "$VM_ROOT/run/vm/qemu/$1/live.xml")
}
rfb() { run python3 "$VM_SOURCE/tests/lib/rfb.py" 127.0.0.1 "$port" "$@"; }

start open ""
rfb
out_is "types 1"
vm-destroy -q open

start secret "passwd='gehe&amp;im'"
rfb
out_is "types 2"
rfb 'gehe&im'
out_is "types 2
ok"
rfb 'gehe&in'
out_is "types 2
refused"
rfb ''
out_is "types 2
refused"
pid=$(vm-info --get=pid secret)
unlike "$(tr '\0' ' ' </proc/"$pid"/cmdline; cat "$VM_ROOT"/run/vm/qemu/secret/* "$VM_ROOT"/var/log/vm/qemu/secret.log 2>/dev/null | tr -d '\0'; vm-dumpxml secret; vm-start --print "$T/secret.xml" 2>&1; vm-export --format=qemu-argv "$T/secret.xml")" \
	gehe "the password is in no place where it can be read"
vm-destroy -q secret

start until "passwd='bald' passwdValidTo='2099-01-01T00:00:00'"
rfb bald
out_is "types 2
ok"
vm-destroy -q until
start over "passwd='alt' passwdValidTo='2001-01-01T00:00:00'"
rfb alt
out_is "types 2
refused" "a password that has expired lets nobody in"
vm-destroy -q over
start empty "passwd=''"
rfb ''
out_is "types 2
refused" "nor does an empty one"
vm-destroy -q empty

# The definition keeps it, for root alone.
document kept "passwd='bleibt'"
vm-define -q "$T/kept.xml"
is "$(stat -c %a "$VM_ROOT/etc/vm/qemu/kept.xml")" 600 "the definition is for root alone"
unlike "$(vm-dumpxml kept)" bleibt "it is shown only when asked for"
like "$(vm-dumpxml --security-info kept)" "passwd=['\"]bleibt['\"]" "and then it is"
leftovers
done_testing
