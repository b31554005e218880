# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-console on a terminal, in pipes, on a socket, and when somebody else has it.
. "$(dirname "$0")/../tap.sh"
needs vm-start vm-create vm-resume vm-destroy vm-console vm-info

port() { guest_xml "$1" | sed "s|<serial type='file'.*|$2|" >"$T/$1.xml"; }
port g "<serial type='pty'><target port='0'/></serial><console type='pty'><target type='serial' port='0'/></console>"
ok "start" vm-create -q --paused "$T/g.xml"
like "$(cat "$VM_ROOT/run/vm/qemu/g/live.xml")" "<console type='pty' tty='/dev/pts/[0-9]+'>" "live.xml has the terminal"

# In a pipe: what is typed reaches the guest, what it says comes out, ^] ends it.
mkfifo "$T/typed"
exec 8<>"$T/typed"
has() { grep -q vm-console "$VM_ROOT/run/vm/qemu/$1/console-serial0"; }
vm-console g <&8 >"$T/talk" 2>"$T/talk.err" &
talking=$!
wait_for 5 "connected" has g
vm-resume -q g
wait_for 20 "what the guest says comes out" grep -q '^vm-test-guest ready' "$T/talk"
printf 'ping\n' >&8
wait_for 5 "the guest answers" grep -q '^pong' "$T/talk"
printf '\035' >&8
wait "$talking"
is "$?" 0 "^] ends it with status 0"
is "$(cat "$T/talk.err")" "" "nothing is said beside it"

# ---- exclusive ----
mkfifo "$T/silence"
exec 9<>"$T/silence"
vm-console g <&9 >"$T/first" 2>"$T/first.err" &
first=$!
wait_for 5 "somebody has it" has g
status_is 10 vm-console g
err_like '^vm-console: g: the console is in use: .*vm-console .pid [0-9]+.*--force'
printf '\035' >"$T/escape"
ok "--force takes it" sh -c 'timeout 10 vm-console --force g <"$T/escape"'
wait "$first"
isnt "$?" 0 "the other one was ended"

# ---- by name ----
status_is 5 vm-console --devname=nosuch g
err_like 'no character device nosuch'
ok "--devname" sh -c 'timeout 10 vm-console --devname=serial0 g <"$T/escape"'
status_is 2 vm-console --escape=foo g

# ---- on a terminal ----
if command -v script >/dev/null; then
	timeout 60 script -qec "stty -g >$T/tty1; vm-console g; stty -g >$T/tty2" /dev/null <&8 >"$T/tty" 2>&1 &
	typing=$!
	wait_for 10 "it says what it is connected to" grep -q 'Connected to serial0 of g, ^\] ends it' "$T/tty"
	printf 'ping\r' >&8
	wait_for 10 "the guest answers" grep -q pong "$T/tty"
	printf '\035' >&8
	wait "$typing"
	is "$(cat "$T/tty2")" "$(cat "$T/tty1")" "the terminal is as it was"
else
	skip 3 "no script(1)"
fi

# ---- the guest's end ends it ----
timeout 20 vm-console g <&9 >/dev/null 2>&1 &
waiting=$!
wait_for 5 "connected" has g
vm-destroy -q g
wait "$waiting"
is "$?" 0 "it ends with the guest"
status_is 5 vm-console g
port f "<serial type='file'><source path='$T/f.out'/></serial>"
vm-create -q "$T/f.xml"
status_is 5 vm-console f
status_is 3 vm-console --devname=serial0 f
err_like "tail -f $T/f.out"
vm-destroy -q f

# ---- a socket ----
port s "<serial type='unix'><source mode='bind' path='$T/s.sock'/></serial>"
vm-create -q "$T/s.xml"
ok "the socket is there" test -S "$T/s.sock"
timeout 120 vm-console s <&8 >"$T/talk" 2>"$T/talk.err" &
talking=$!
# what is sent before it is connected or the guest is ready is lost
wait_for 20 "the guest answers" sh -c 'printf "ping\n" >&8; grep -q "^pong" "$T/talk"'
printf '\035' >&8
wait "$talking"
is "$?" 0 "a socket does as well"
vm-destroy -q s
ok "the socket is gone" test ! -e "$T/s.sock"
leftovers
done_testing
