# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-list: the plain form and JSON, every filter, what is broken or stale, and that it only looks.
. "$(dirname "$0")/../tap.sh"
needs vm-list vm-index
fake=$VM_BUILD/tests/fake-guest
etc=$VM_ROOT/etc/vm/qemu lib=$VM_ROOT/var/lib/vm/qemu

# Pids differ from run to run.
pids=
golden_filter() { sed $pids -e 's/\("id":\)[0-9][0-9]*/\1PID/g' -e 's/^[0-9][0-9]*\t/PID\t/' -e 's/^[0-9][0-9]*  */PID /' -e 's/^\(ID\|-\)   */\1 /'; }

define() { # NAME DIGIT [CHILDREN]
	mkdir -p "$etc"
	cat >"$etc/$1.xml" <<END
<domain type='qemu'>
  <name>$1</name>
  <uuid>$2$2$2$2$2$2$2$2-$2$2$2$2-4$2$2$2-8$2$2$2-$2$2$2$2$2$2$2$2$2$2$2$2</uuid>
  ${3:-}
</domain>
END
}

golden help vm-list --help
# ---- nothing there ----
golden nothing vm-list --all
golden nothing-json vm-list --all --json
golden nothing-table vm-list --all --table
is "$(ls -A "$VM_ROOT")" "" "looking makes nothing"

# ---- guests of every kind ----
define web1 1
define "db 1" 2
define mail 3 '<title>Mail	&amp; "all" for C:\ü</title>'
define zsaved 4
define edited 5
mkdir -p "$etc/autostart" "$lib/zsaved/snapshots" "$lib/mail/checkpoints"
ln -s ../mail.xml "$etc/autostart/mail.xml"
: >"$lib/zsaved/managed.save"
: >"$lib/zsaved/snapshots/one.xml"
: >"$lib/zsaved/snapshots/two.xml"
: >"$lib/mail/checkpoints/c.xml"
printf 'vm-status 1\nstate=shutoff\nreason=crashed-signal-11\nsince_ms=1795353600000\n' >"$lib/mail/last"
web1=$("$fake" web1 running booted 1795353600000)
sleep 0.02
db=$("$fake" "db 1" paused io-error 1795353600001)
sleep 0.02
tr=$("$fake" transient)
at_exit "kill $web1 $db $tr 2>/dev/null"
# active by id, then inactive by name
tab=$(printf '\t')
run vm-list
is "$out" "$web1${tab}running${tab}web1
$db${tab}paused${tab}db 1
$tr${tab}running${tab}transient" "active guests, by id"

golden all vm-list --all
golden all-json vm-list --all --json
golden table vm-list --all --table
golden inactive vm-list --inactive
golden all-inactive vm-list --all --inactive
golden columns vm-list --all --reason --title
golden named vm-list zsaved web1 33333333-3333-4333-8333-333333333333
golden unknown vm-list web1 nobody mail nobody2
golden unknown-json vm-list --json nobody
golden name vm-list --all --name
golden uuid vm-list --all --uuid
golden uuid-name vm-list --all --name --uuid
golden id-table vm-list --inactive --id --table
status_is 0 vm-list --id
out_is "$web1
$db
$tr"
status_is 0 vm-list --domain web1 --uuid
out_is "11111111-1111-4111-8111-111111111111"
status_is 0 vm-list "$db" --name
out_is "db 1"
golden managed-save vm-list --all --managed-save

# ---- filters: one kind adds up, kinds narrow down ----
names() { vm-list --name "$@" | paste -sd, -; }
is "$(names --state=running)" "web1,transient" "--state"
is "$(names --state=paused,shutoff)" "db 1,edited,mail,zsaved" "--state with two"
is "$(names --state=paused --state=saved)" "db 1,zsaved" "--state twice"
is "$(names --state-running --state-paused)" "web1,db 1,transient" "--state-running adds up"
is "$(names --state-shutoff)" "edited,mail,zsaved" "--state-shutoff implies --all"
is "$(names --state-other)" "" "--state-other"
is "$(names --persistent)" "web1,db 1" "--persistent"
is "$(names --transient)" "transient" "--transient"
is "$(names --persistent --transient)" "web1,db 1,transient" "both kinds"
is "$(names --all --autostart)" "mail" "--autostart"
is "$(names --all --no-autostart --state-shutoff)" "edited,zsaved" "kinds narrow down"
is "$(names --inactive --with-managed-save)" "zsaved" "--with-managed-save"
is "$(names --inactive --without-managed-save)" "edited,mail" "--without-managed-save"
is "$(names --all --with-snapshot)" "zsaved" "--with-snapshot"
is "$(names --inactive --without-snapshot)" "edited,mail" "--without-snapshot"
is "$(names --all --with-checkpoint)" "mail" "--with-checkpoint"
is "$(names --inactive --without-checkpoint --without-snapshot)" "edited" "--without-checkpoint"
golden bad-state vm-list --state=runing
golden bad-option vm-list --stat=running
golden quiet vm-list --all --quiet

# ---- broken, stale, stopped ----
echo '<domain><name>edited</name' >"$etc/edited.xml"
define renamed 6
sed -i 's/renamed/other/' "$etc/renamed.xml"
ln -s /etc/passwd "$etc/link.xml"
mkdir "$etc/folder.xml"
printf '<network><name>net</name></network>' >"$etc/net.xml"
kill "$tr"
kill -STOP "$web1"
wait_for 5 "the transient one is gone" sh -c "vm-list --all | grep -q 'stale.transient'"
golden problems vm-list --all
golden problems-json vm-list --json --all
kill -CONT "$web1"
before=$(find "$VM_ROOT" | sort | xargs -d '\n' stat -c '%n %Y %s' | md5sum)
run vm-list --all --json --check
is "$(find "$VM_ROOT" | sort | xargs -d '\n' stat -c '%n %Y %s' | md5sum)" "$before" "looking changes nothing"

# ---- where nothing may be written, and other places ----
vm-list --all >/dev/full 2>"$T/full"
is "$?" 14 "a full disk under stdout"
status_is 3 vm-list -c foo:///system
err_like "no driver for foo://"
status_is 6 env VM_ROOT=relative vm-list
err_like "VM_ROOT=relative: not an absolute path"
status_is 0 vm-list -c qemu:///session --all
out_is ""
mkdir -p "$VM_ROOT/etc/vm"
echo 'nonsense = 1' >"$VM_ROOT/etc/vm/vm.conf"
status_is 0 vm-list --name
out_is "web1
db 1
transient" "a fault in vm.conf does not keep from looking"

libraries=$(ldd "$VM_BUILD/bin/vm-list" | sed -n 's/^[[:space:]]*\([^ ]*\) =>.*/\1/p' | grep -vE '^lib(a|t|ub)san|^lib(m|gcc_s|dl|pthread|rt|stdc..)\.so')
is "$libraries" "libc.so.6" "loads libc alone"
done_testing
