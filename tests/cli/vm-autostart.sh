# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-autostart: the mark, the order, and --run with a vm-start that only notes what it is asked.
. "$(dirname "$0")/../tap.sh"
needs vm-autostart vm-list
etc=$VM_ROOT/etc/vm/qemu
mkdir -p "$etc"
for name in web db cache mail "odd name"; do
	echo "<domain><name>$name</name></domain>" >"$etc/$name.xml"
done
marks() { vm-list --all --autostart --name | paste -sd, -; }

golden help vm-autostart --help
golden mark vm-autostart db web
golden again vm-autostart db cache
is "$(marks)" "cache,db,web" "marked"
is "$(readlink "$etc/autostart/db.xml")" "../db.xml" "the mark is a link"
golden json vm-autostart --json db mail
golden dry-run vm-autostart --dry-run "odd name"
is "$(marks)" "cache,db,mail,web" "--dry-run changes nothing"
golden unknown vm-autostart nobody web
golden disable vm-autostart --disable mail web
golden disable-again vm-autostart --disable mail
golden usage-none vm-autostart
golden usage-run vm-autostart --run web
golden usage-parallel vm-autostart --parallel=2 web
golden usage-disable vm-autostart --disable --delay=3 web

# ---- the order ----
golden order vm-autostart --after=db,cache --delay=1 web
golden order-again vm-autostart --after=db,cache --delay=1 web
cat "$etc/autostart/web.order" >"$T/order"
is "$(cat "$T/order")" "vm-autostart 1
after=db
after=cache
delay_ms=1000" "the order is written down"
ok "an order is kept" vm-autostart web
is "$(cat "$etc/autostart/web.order")" "$(cat "$T/order")" "kept"
golden circle vm-autostart --after=web db
golden circle-self vm-autostart --after=db db
golden after-unknown vm-autostart --after=nobody db
ok "a longer chain" vm-autostart --after=web "odd name"
golden circle-long vm-autostart --after="odd name" cache

# ---- --run ----
mkdir "$T/bin"
cp "$VM_BUILD/bin/vm-autostart" "$T/bin"
cat >"$T/bin/vm-start" <<'END'
#!/bin/sh
for name; do :; done
echo "begin $name" >>"$T/log"
[ -z "${ARGS:-}" ] || echo "$*" >>"$T/args"
case " ${FAIL:-} " in *" $name "*) echo "vm-start: $name: no luck" >&2; exit 13 ;; esac
[ -z "${SLOW:-}" ] || exec sleep "$SLOW"
sleep 0.05
echo "end $name" >>"$T/log"
END
chmod +x "$T/bin/vm-start"
run_all() { : >"$T/log"; run "$T/bin/vm-autostart" --run "$@"; }
# line NUMBER of an entry
at() { grep -n "^$1\$" "$T/log" | cut -d: -f1; }

golden run-dry "$T/bin/vm-autostart" --run --dry-run
is "$(cat "$T/log" 2>/dev/null)" "" "--dry-run starts nothing"
begin=$(date +%s%N)
ARGS=1
export ARGS
run_all --parallel=1
took=$((($(date +%s%N) - begin) / 1000000))
is "$status" 0 "all started"
is "$(cat "$T/log")" "begin cache
end cache
begin db
end db
begin web
end web
begin odd name
end odd name" "in order"
like "$took" '^[1-9][0-9]{3}$' "after the delay"
is "$(head -n 1 "$T/args")" "--connect qemu:///system --timeout 10.000 --if-needed --quiet -- cache" "by vm-start"
vm-autostart --after=cache,db --delay=0 web >/dev/null
run_all --parallel=4
is "$([ "$(at 'begin db')" -lt "$(at 'end cache')" ] && echo yes)" yes "two at a time"
is "$([ "$(at 'begin web')" -gt "$(at 'end db')" ] && [ "$(at 'begin web')" -gt "$(at 'end cache')" ] && echo yes)" yes "web waits for both"
FAIL=db
export FAIL
run_all
is "$status" 13 "the first failure's status"
err_is "vm-start: db: no luck
vm-autostart: web: not started: it comes after 'db', which did not start
vm-autostart: odd name: not started: it comes after 'web', which did not start"
run_all --json
out_is '{"schema":"vm-autostart/1","changed":true,"guests":[{"name":"cache","changed":true,"status":0},{"name":"db","changed":false,"status":13},{"name":"odd name","changed":false,"status":10},{"name":"web","changed":false,"status":10}]}'
FAIL=
# a circle made by hand, a dependency that is not marked, a damaged order
printf 'vm-autostart 1\nafter=web\n' >"$etc/autostart/db.order"
printf 'vm-autostart 1\nafter=mail\n' >"$etc/autostart/cache.order"
run_all
is "$status" 6 "a circle"
is "$(cat "$T/log")" "begin cache
end cache" "the others are started"
err_like "vm-autostart: db: it comes after 'web', and in a circle after itself"
err_like "cache: comes after 'mail', which is not started with the host"
echo rubbish >"$etc/autostart/db.order"
run_all
is "$status" 6 "a damaged order"
err_like "vm-autostart: db: .*line 1"
rm "$etc/autostart/db.order"
ln -s ../gone.xml "$etc/autostart/gone.xml"
run_all --parallel=1
is "$status" 0 "a mark without definition"
unlike "$(cat "$T/log")" gone "is passed over"
# a guest that is undefined takes its order along
ok "unmark" vm-autostart --disable web
is "$(ls "$etc/autostart" | grep -c web)" 0 "nothing of it is left"
# SIGTERM reaches those that are starting
SLOW=20
export SLOW
: >"$T/log"
"$T/bin/vm-autostart" --run 2>/dev/null &
pid=$!
wait_for 5 "it has begun" grep -q begin "$T/log"
kill -TERM "$pid"
wait "$pid"
is "$?" 143 "dies of the signal"
leftovers
done_testing
