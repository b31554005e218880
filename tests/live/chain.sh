# SPDX-License-Identifier: LGPL-2.1-or-later
# Images below images: what a header says is found by a process without rights, becomes part of the run, and is all that
# QEMU may open. Headers are a guest's to write.
. "$(dirname "$0")/../tap.sh"
root_needed
needs vm-define vm-undefine vm-start vm-destroy vm-info vm-dumpxml
command -v qemu-img >/dev/null || skip_all "no qemu-img"

disk() { echo "<disk type='file'><driver name='qemu' type='${2:-qcow2}'/><source file='$1'/><target dev='vda' bus='virtio'/>${3:-}</disk>"; }
define() { guest_xml "$@" >"$T/$1.xml" && vm-define -q "$T/$1.xml"; }
img() { qemu-img create -q -f "$@" >/dev/null; }

# ---- three layers in a directory that nobody may search, by relative names, of two versions ----
mkdir -m 0700 "$T/closed" "$T/closed/base"
truncate -s 1M "$T/closed/base/0.raw"
(cd "$T/closed/base" && img qcow2 -F raw -b 0.raw 1.qcow2)
(cd "$T/closed" && img qcow2 -o compat=0.10 -F qcow2 -b base/1.qcow2 2.qcow2)
(cd "$T/closed" && img qcow2 -F qcow2 -b 2.qcow2 3.qcow2)
chmod 600 "$T"/closed/*.* "$T"/closed/base/*
define c "$(disk "$T/closed/3.qcow2")"
status_is 0 vm-start --print c
out_like '"driver":"qcow2","file":"libvirt-1-storage","backing":"libvirt-2-format"'
status_is 0 vm-start c
xml=$(vm-dumpxml c | tr -d ' \n')
like "$xml" "<backingStoretype='file'index='2'><formattype='qcow2'/><sourcefile='$T/closed/2.qcow2'/><backingStoretype='file'index='3'><formattype='qcow2'/><sourcefile='$T/closed/base/1.qcow2'/><backingStoretype='file'index='4'><formattype='raw'/><sourcefile='$T/closed/base/0.raw'/><backingStore/></backingStore></backingStore></backingStore>" "the document of the run has the chain"
unlike "$(cat "$VM_ROOT/etc/vm/qemu/c.xml")" backingStore "the definition is as it was"
pid=$(vm-info --get=pid c)
is "$(ls -l "/proc/$pid/fd" | grep -c "$T/closed")" 4 "QEMU has all four open"
for f in base/0.raw base/1.qcow2 2.qcow2; do
	like "$(for fd in $(ls -l "/proc/$pid/fd" 2>/dev/null | sed -n "s|.* \([0-9]*\) -> $T/closed/$f\$|\1|p"); do grep flags "/proc/$pid/fdinfo/$fd"; done)" '0$' "$f only to read"
done
define w "$(disk "$T/closed/base/1.qcow2")"
status_is 10 vm-start w
err_like "^vm-start: w: .*base/1.qcow2"
define r "$(disk "$T/closed/base/1.qcow2" qcow2 "<readonly/>")"
status_is 0 vm-start r
vm-destroy -q c
is "$(vm-info --get=state r)" running "a guest that reads the same image goes on"
vm-destroy -q r
is "$(stat -c '%u %a' "$T/closed/base/0.raw" "$T/closed/3.qcow2" | sort -u)" "0 600" "owners are as they were"

# ---- who reads a header can do nothing else ----
if command -v strace >/dev/null; then
	strace -f -o "$T/trace" vm-start --print c >/dev/null 2>&1
	reader=$(awk '/SECCOMP_MODE_STRICT/ { print $1; exit }' "$T/trace")
	is "$(grep -c 'SECCOMP_MODE_STRICT.*= 0' "$T/trace")" 3 "three headers are read by processes of their own"
	like "$(grep "^$reader " "$T/trace")" 'setresuid\(65534, 65534, 65534\) *= 0' "which are nobody"
	like "$(grep "^$reader " "$T/trace")" 'close_range\(2, 4294967295, 0\) *= 0' "with nothing open but the image and a pipe"
	is "$(grep "^$reader " "$T/trace" | sed '1,/SECCOMP_MODE_STRICT/d; s/^[0-9]* *//; s/(.*//; /^+++/d; /^</d' | sort -u | tr '\n' ' ')" "exit read write " "and make no other system call"
else
	skip 4 "no strace"
fi

# ---- what the document says holds ----
define e "$(disk "$T/closed/2.qcow2" qcow2 "<backingStore/>")"
status_is 0 vm-start e
is "$(ls -l "/proc/$(vm-info --get=pid e)/fd" | grep -c "$T/closed")" 1 "an empty <backingStore> ends the chain: no other image is opened"
vm-destroy -q e

# ---- refused, before anything is changed ----
refused() { # STATUS TEXT DEVICES
	define x "$3"
	status_is "$1" vm-start x
	err_like "^vm-start: x: disk vda: $2"
	vm-undefine -q x
}
(cd "$T" && img qcow2 -u -b closed/base/0.raw noformat.qcow2 1M 2>/dev/null) ||
	python3 - "$T/noformat.qcow2" "$T/closed/base/1.qcow2" <<'END'
import sys
head = bytearray(open(sys.argv[2], "rb").read())
at = head.find(bytes.fromhex("e2792aca"))
head[at:at + 4] = b"\0\0\0\1"  # an extension that nobody knows
open(sys.argv[1], "wb").write(head)
END
refused 6 "$T/noformat.qcow2 does not say the format of the image below it, .*; say it in a <backingStore>" "$(disk "$T/noformat.qcow2")"
# header FILE NAME FORMAT: an image whose header says what qemu-img would not write
header() {
	python3 - "$@" <<'END'
import struct, sys
path, name, form = sys.argv[1], sys.argv[2].encode("utf8", "surrogateescape"), sys.argv[3].encode()
ext = struct.pack(">II", 0xe2792aca, len(form)) + form + b"\0" * (-len(form) % 8) + struct.pack(">II", 0, 0)
head = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 72 + len(ext), len(name), 16, 1 << 20, 0, 1, 0x30000, 0x10000, 1, 0, 0)
open(path, "wb").write(head + ext + name + b"\0" * 0x40000)
END
}
header "$T/json.qcow2" 'json:{"driver":"file","filename":"/etc/shadow"}' raw
refused 3 "$T/json.qcow2: the image below it is 'json:" "$(disk "$T/json.qcow2")"
header "$T/nbd.qcow2" nbd://example/x raw
refused 3 "$T/nbd.qcow2: the image below it is 'nbd:" "$(disk "$T/nbd.qcow2")"
header "$T/loop.qcow2" loop.qcow2 qcow2
refused 6 "$T/loop.qcow2: the chain of images leads back to it" "$(disk "$T/loop.qcow2")"
header "$T/gone.qcow2" /nonexistent/x raw
refused 5 "/nonexistent/x" "$(disk "$T/gone.qcow2")"
header "$T/odd.qcow2" x sheepdog
refused 3 "$T/odd.qcow2: image format 'sheepdog' is not supported" "$(disk "$T/odd.qcow2")"
header "$T/control.qcow2" "$(printf 'a\nb')" raw
refused 6 "the header of $T/control.qcow2 is damaged" "$(disk "$T/control.qcow2")"
header "$T/fifo.qcow2" "$T/fifo" qcow2
mkfifo "$T/fifo"
refused 6 "$T/fifo is neither a file nor a block device" "$(disk "$T/fifo.qcow2")"
truncate -s 1M "$T/zero.qcow2"
refused 6 "$T/zero.qcow2 is no image of format qcow2" "$(disk "$T/zero.qcow2")"
(cd "$T" && img qcow2 -o data_file=d.raw data.qcow2 1M)
refused 3 "$T/data.qcow2 keeps its data in other files" "$(disk "$T/data.qcow2")"
(cd "$T" && img vmdk -o subformat=monolithicFlat flat.vmdk 1M)
refused 3 "$T/flat.vmdk keeps its data in other files" "$(disk "$T/flat.vmdk" vmdk)"
(cd "$T" && img vmdk sparse.vmdk 1M)
define v "$(disk "$T/sparse.vmdk" vmdk)"
status_is 0 vm-start v
vm-destroy -q v
(cd "$T" && img qed -F raw -b closed/base/0.raw q.qed)
define q "$(disk "$T/q.qed" qed)"
status_is 0 vm-start q
like "$(ls -l "/proc/$(vm-info --get=pid q)/fd")" "closed/base/0.raw" "a qed image that says that what is below it is raw"
vm-destroy -q q
vm-undefine -q c w r e v q
leftovers
done_testing
