# SPDX-License-Identifier: LGPL-2.1-or-later
# What a guest writes is bounded: its files, QEMU's messages, the events.
. "$(dirname "$0")/../tap.sh"
needs vm-start vm-create vm-destroy vm-info

mkdir -p "$VM_ROOT/etc/vm"
printf 'log_bytes = 4KiB\nlog_files = 3\nevents_bytes = 4KiB\n' >"$VM_ROOT/etc/vm/vm.conf"
document() { # NAME SERIAL
	guest_xml "$1" | sed "s|<serial type='file'.*|$2|" >"$T/$1.xml"
}
size() { stat -c %s "$1" 2>/dev/null || echo 0; }
watcher=$VM_ROOT/run/vm/qemu

# A port with a log beside it: everything that goes through it is kept there.
document g "<serial type='pty'><log file='$T/g.log' append='off'/><target port='0'/></serial>"
echo old >"$T/g.log"
ok "start" vm-create -q "$T/g.xml"
wait_for 10 "the guest boots" grep -q '^vm-test-guest ready' "$T/g.log"
ok "append='off': the old text is gone" sh -c '! grep -q old "$1"' sh "$T/g.log"
tty=$(sed -n "s|.*<source path='\(/dev/pts/[0-9]*\)'.*|\1|p" "$watcher/g/live.xml" | head -n 1)
exec 9<>"$tty"
cat <&9 >"$T/tty" &
reader=$!
lists() { [ "$(grep -c 'pci end' "$T/tty")" -ge "$1" ]; }
for n in $(seq 1 18); do
	printf 'pci\npci\npci\npci\npci\n' >&9
	await 20 lists $((n * 5))
done
kill "$reader"
exec 9>&-
wait_for 5 "it has been begun anew" test -e "$T/g.log.2"
ok "it is bounded" test "$(size "$T/g.log")" -le 4096 -a "$(size "$T/g.log.1")" -le 4096 -a "$(size "$T/g.log.2")" -le 4096
ok "there are no more than three" test ! -e "$T/g.log.3"
is "$(cat "$T"/g.log.2 "$T"/g.log.1 "$T"/g.log | grep -c . | sed 's/^[1-9][0-9]*$/some/')" some "with the last lines"
vm-destroy -q g

# events.jsonl
document e "<serial type='null'><target port='0'/></serial>"
vm-create -q "$T/e.xml"
for n in $(seq 1 30); do
	vm-suspend -q e
	vm-resume -q e
done
ok "events.jsonl was begun anew" test -e "$watcher/e/events.jsonl.1"
ok "and is bounded" test "$(size "$watcher/e/events.jsonl")" -le 4096
vm-destroy -q e

# A file: kept, appended to, or begun anew; not a regular one: written to as it is.
document f "<serial type='file'><source path='$T/f.out' append='on'/><target port='0'/></serial>"
echo before >"$T/real.out"
ln -s real.out "$T/f.out"
vm-create -q "$T/f.xml"
wait_for 10 "boots" grep -q '^vm-test-guest ready' "$T/f.out"
is "$(head -n 1 "$T/f.out")" before "append='on' keeps what was there"
is "$(stat -c %U "$T/f.out")" "$(id -un)" "it is ours"
pid=$(sed -n 's/^watcher=//p' "$watcher/f/record")
kill -9 "$pid"
await 10 sh -c '! kill -0 "$1"' sh "$pid"
ok "with the watcher killed the guest goes on" sh -c '[ "$(vm-info --get=state f)" = running ]'
vm-destroy -q f
document n "<serial type='file'><source path='/dev/null'/><target port='0'/></serial>"
ok "/dev/null is a file, too" vm-create -q "$T/n.xml"
is "$(readlink /proc/"$(vm-info --get=pid n)"/fd/* | grep -c '^/dev/null$' | sed 's/^[2-9]$/more/')" more "which QEMU has open itself"
vm-destroy -q n
ok "it is a device still" test -c /dev/null
document d "<serial type='file'><source path='$T/nodir/f.out'/><target port='0'/></serial>"
status_is 5 vm-create "$T/d.xml"
err_like "^vm-create: .*serial0: open $T/nodir/f.out: No such file"
ok "without a watcher QEMU writes itself" sh -c 'vm-create -q --no-watch "$1"' sh "$T/f.xml"
wait_for 10 "boots" sh -c '[ "$(grep -c "^vm-test-guest ready" "$1")" = 2 ]' sh "$T/f.out"
vm-destroy -q f
leftovers
done_testing
