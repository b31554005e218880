# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-repair: what interrupted commands leave, guest by guest and for all.
. "$(dirname "$0")/../tap.sh"
needs vm-repair vm-list
fake=$VM_BUILD/tests/fake-guest
etc=$VM_ROOT/etc/vm/qemu run=$VM_ROOT/run/vm/qemu lib=$VM_ROOT/var/lib/vm/qemu claims=$VM_ROOT/run/vm/claims

doc() {
	cat <<END
<domain type='qemu'>
  <name>$1</name>
  <uuid>$2$2$2$2$2$2$2$2-$2$2$2$2-4$2$2$2-8$2$2$2-$2$2$2$2$2$2$2$2$2$2$2$2</uuid>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
</domain>
END
}
link() { echo "$etc/by-uuid/$1$1$1$1$1$1$1$1-$1$1$1$1-4$1$1$1-8$1$1$1-$1$1$1$1$1$1$1$1$1$1$1$1"; }
define() { # NAME DIGIT: all of it
	mkdir -p "$etc/by-uuid"
	doc "$1" "$2" >"$etc/$1.xml"
	ln -s "../$1.xml" "$(link "$2")"
}
# A zombie is dead: who inherits orphans here may not collect them.
is_dead() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"; }
tree() { (cd "$VM_ROOT" && find . | sort); }

golden help vm-repair --help
golden usage vm-repair
golden usage-both vm-repair --all web1
golden nothing vm-repair --all
golden nothing-json vm-repair --all --json

# ---- one guest ----
define web1 1
vm-repair web1 >/dev/null
golden in-order vm-repair web1
golden unknown vm-repair nobody web1
pid=$("$fake" web1)
golden running vm-repair web1
: >"$run/web1/start.undo"
golden void-journal vm-repair web1
ok "it runs on" kill -0 "$pid"
kill -9 "$pid"
wait_for 5 "it is stale" sh -c "vm-list | grep -q stale"
: >"$run/web1/qmp.sock"
mkdir -p "$run/web1/dev/vfio"
golden stale-dry vm-repair --dry-run web1
ok "nothing was done" test -e "$run/web1/record"
golden stale vm-repair web1
ok "its run directory is gone" test ! -e "$run/web1"
golden stale-again vm-repair web1
# a process that has let go of its lock (or whose start was killed)
pid=$("$fake" web1)
rm "$run/web1/alive"
golden lives-on vm-repair web1
ok "it is dead" is_dead "$pid"
# a directory that is nobody's
mkdir "$run/nobody"
: >"$run/nobody/lock"
golden litter vm-repair nobody
ok "is gone" test ! -e "$run/nobody"
# somebody is at work on it
mkdir "$run/web1"
: >"$run/web1/events.jsonl"
perl -e 'open F, "+>", $ARGV[0]; $l = pack("ssx4qqix4", 1, 0, 0, 0, 0); fcntl(F, 37, $l) or die $!; open G, ">", $ARGV[1]; sleep 60' "$run/web1/lock" "$T/held" &
holder=$!
at_exit "kill $holder 2>/dev/null"
wait_for 10 "the lock is held" test -e "$T/held"
define web2 7
golden busy vm-repair --timeout=0.3 web1 web2
ok "its files are left alone" test -e "$run/web1/events.jsonl"
golden busy-dry vm-repair --dry-run web1
vm-repair web1 >"$T/waited" &
waiter=$!
wait_for 10 "it waits" sh -c "grep -q '^State:.S' /proc/$waiter/status"
kill "$holder"
wait "$waiter"
is "$? $(cat "$T/waited")" "0 web1	cleared away what an interrupted command left" "it waits for the other command"
rm -rf "$run/web2" "$etc/web2.xml" "$(link 7)" "$lib/web2"
kill "$holder" 2>/dev/null
wait "$holder" 2>/dev/null
golden not-busy vm-repair web1
# an edit by hand
sed -i 's/64/65/' "$etc/web1.xml"
golden index vm-repair web1
ok "the index is current" grep -q "memory_bytes=68157440" "$lib/web1/index"

# ---- all ----
define db 2
define gone 3
rm "$etc/gone.xml"
doc hand 4 >"$etc/hand.xml"
doc twin 4 >"$etc/twin.xml"
ln -s ../db.xml "$(link 5)"
ln -s /etc/passwd "$(link 6)"
echo '<domain><name>bad' >"$etc/bad.xml"
mkdir -p "$etc/autostart" "$run/crumb" "$lib/web1"
ln -s ../gone.xml "$etc/autostart/gone.xml"
ln -s ../db.xml "$etc/autostart/db.xml"
: >"$etc/.tmp-abcdef"
: >"$lib/web1/.tmp-abcdef"
: >"$claims/.tmp-abcdef"
pid=$("$fake" web1)
at_exit "kill $pid 2>/dev/null"
printf 'vm-claim 1\nuser=qemu/web1\nmode=read\nwhat=/a\nuser=qemu/never\nmode=read\nwhat=/a\n' >"$claims/file:1:1"
printf 'vm-claim 1\nuser=qemu/never\nmode=exclusive\nwhat=/b\n' >"$claims/file:1:2"
echo rubbish >"$claims/file:1:3"
echo rubbish >"$claims/file:1:4"
printf 'file:1:1\nfile:1:3\n' >"$run/web1/claims"
before=$(tree)
run vm-repair --all --dry-run
out=$(printf '%s\n' "$out" | sort)
printf '%s\n' "$out" >"$T/dry"
is "$(tree)" "$before" "--dry-run changes nothing"
sorted() { vm-repair "$@" >"$T/all" 2>"$T/all.err"; status=$?; sort "$T/all"; cat "$T/all.err" >&2; return "$status"; }
golden all sorted --all
is "$(grep -v half-written "$T/all" | sort)" "$(cat "$T/dry")" "--dry-run had said so"
is "$(readlink "$(link 4)")" "../hand.xml" "the link is there again"
is "$(ls "$etc/by-uuid" | wc -l)" 3 "and only those"
is "$(ls "$etc/autostart")" "db.xml" "the mark without definition is gone"
is "$(find "$VM_ROOT" -name '.tmp-*')" "" "no half-written file is left"
is "$(cat "$claims/file:1:1")" "vm-claim 1
user=qemu/web1
mode=read
what=/a" "claims of guests that are gone went"
is "$(cat "$claims/file:1:3")" "vm-claim 1
user=qemu/web1
mode=exclusive
what=" "a claim was made anew"
ok "one without users went" test ! -e "$claims/file:1:4"
status_is 10 vm-repair --all
out_is "" "the second time there is nothing to do"
rm "$etc/twin.xml"
golden json vm-repair --all --json
kill -9 "$pid"
wait_for 5 "it is stale" sh -c "vm-list | grep -q stale"
golden all-stale vm-repair --all
is "$(ls "$claims" | paste -sd, -)" "" "with its claims"
leftovers
done_testing
