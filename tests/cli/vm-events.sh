# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 60
# vm-events on event files made by hand (their format: vm-events(5)).
. "$(dirname "$0")/../tap.sh"
needs vm-events

case $(id -u) in
0) run=$VM_ROOT/run/vm/qemu etc=$VM_ROOT/etc/vm/qemu ;;
*) skip_all "the places are those of the system connection" ;;
esac

TAB=$(printf '\t')
head='{"vm":"open","timestamp":{"seconds":1,"microseconds":0},"data":{"format":1,"first":%d}}\n'
# event GUEST SECONDS NAME [DATA]
event() {
	printf '{"timestamp": {"seconds": %d, "microseconds": 5000}, "event": "%s"%s}\n' "$2" "$3" \
		"${4:+, \"data\": $4}" >>"$run/$1/events.jsonl"
}
defined() {
	mkdir -p "$etc"
	printf '<domain><name>%s</name></domain>\n' "$1" >"$etc/$1.xml"
}
begin() {
	mkdir -p "$run/$1"
	printf "$head" "${2:-0}" >"$run/$1/events.jsonl"
}

# Nothing has ever run.
status_is 0 vm-events
out_is ""
status_is 5 vm-events nobody
err_like "^vm-events: nobody: "
status_is 12 vm-events --once --timeout=0.2
err_is "vm-events: no such event came"

# A place that comes into being is noticed.
vm-events --follow --timeout=5 --once >"$T/early" &
early=$!
sleep 0.2
mkdir -p "$VM_ROOT/run/vm"
sleep 0.1
defined web1
defined 'db 1'
defined quiet
begin web1
event web1 10 RESUME
wait $early
is "$? $(cat "$T/early")" "0 web1${TAB}RESUME${TAB}-" "--once waits for the first run of all"

begin 'db 1'
event 'db 1' 11 STOP
event web1 12 DEVICE_DELETED '{"device": "net0", "path": "/machine/peripheral/net0"}'
printf '{"vm":"ended","timestamp":{"seconds":13,"microseconds":0},"data":{"reason":"destroyed","status":null}}\n' \
	>>"$run/db 1/events.jsonl"

golden all vm-events
golden timestamp vm-events --timestamp
golden json vm-events --json
golden one vm-events 'db 1'
golden two vm-events web1 nobody
golden quiet vm-events quiet
golden pattern vm-events --event='device_*'
golden kind vm-events --event=lifecycle
golden names vm-events --event=STOP,ended --event=resume
golden since vm-events --since=@12
golden none-since vm-events --since=1h
golden list vm-events --list
golden bad-event vm-events --event='a b'
golden bad-since vm-events --since=yesterday
golden bad-since-json vm-events --json --since=@x

# What rotation took is told.
begin web1 7
event web1 20 STOP
printf 'rubbish\n' >>"$run/web1/events.jsonl"
event web1 21 RESUME
golden gap vm-events web1
golden gap-json vm-events --json --event=RESUME web1

# One bad file does not hide the others.
mkdir -p "$run/bad"
echo 'no event' >"$run/bad/events.jsonl"
run vm-events --event=STOP
is "$status $err" "0 vm-events: warning: bad: events.jsonl: the first line is no event" "a damaged file is a warning"
out_like "^db 1${TAB}STOP"
rm -r "$run/bad"
begin new
defined new
printf '{"vm":"open","data":{"format":2,"first":0}}\n' >"$run/new/events.jsonl"
run vm-events new
err_like "has format 2, this program knows 1"
rm -r "$run/new" "$etc/new.xml"

# Following: nothing of the past, guests that come, guests that go, files that rotate.
vm-events --follow --timeout=30 >"$T/follow" 2>"$T/follow.err" &
follow=$!
vm-events --follow --json --event=STOP web1 >"$T/follow1" &
follow1=$!
sleep 0.3
event web1 30 STOP
mv "$run/web1/events.jsonl" "$run/web1/events.jsonl.1"
printf "$head" 11 >"$run/web1/events.jsonl"
event web1 31 STOP
begin late
event late 32 RESUME
rm -r "$run/db 1"
wait_for 5 "the late guest is seen" grep -q "^late${TAB}RESUME" "$T/follow"
begin 'db 1'
event 'db 1' 33 STOP
wait_for 5 "a guest that was started again is seen" grep -q "^db 1${TAB}STOP" "$T/follow"
# Killed between the two steps of a rotation, the file is gone for a while.
mv "$run/late/events.jsonl" "$run/late/events.jsonl.1"
sleep 0.1
printf "$head" 5 >"$run/late/events.jsonl"
event late 34 STOP
wait_for 5 "the late guest's next file is read" grep -q "^late${TAB}STOP" "$T/follow"
kill -TERM $follow $follow1
wait $follow
is $? 143 "a follower dies of its signal"
wait $follow1
is "$(cat "$T/follow")" "web1${TAB}STOP${TAB}-
web1${TAB}STOP${TAB}-
late${TAB}RESUME${TAB}-
db 1${TAB}STOP${TAB}-
late${TAB}gap${TAB}{\"lost\":4}
late${TAB}STOP${TAB}-" "what the follower saw"
is "$(grep -c '"guest":"web1","time_ms":3[01]005,"event":"STOP","data":null}$' "$T/follow1")" 2 "JSON lines"
is "$(wc -l <"$T/follow1")" 2 "and no others"

# --once ends at the first that is asked for.
vm-events --once --event=RESET web1 >"$T/once" &
once=$!
sleep 0.2
event web1 40 STOP
event web1 41 RESET '{"guest": true, "reason": "guest-reset"}'
wait $once
is "$? $(cat "$T/once")" "0 web1${TAB}RESET${TAB}{\"guest\": true, \"reason\": \"guest-reset\"}" "--once --event"

# A reader that goes away ends it.
vm-events --follow --timeout=20 | head -n 1 >/dev/null &
pipe=$!
sleep 0.2
for second in 50 51 52 53; do
	event web1 $second STOP
	sleep 0.1
done
wait $pipe
pass "SIGPIPE ends a follower"
vm-events >/dev/full 2>"$T/full"
is "$? $(cat "$T/full")" "14 vm-events: write output: No space left on device" "a full disk under stdout"
done_testing
