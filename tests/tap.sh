# SPDX-License-Identifier: LGPL-2.1-or-later
# Helpers for tests written in sh, to be sourced first:  . "$(dirname "$0")/../tap.sh"
#
# Sets up      $VM_ROOT (private, empty), $T (scratch), $PATH with the built programs first,
#              $VM_TEST_GUEST (kernel of the test guest), $VM_SOURCE, $VM_BUILD, $VM_TEST_DATA.
# Test points  ok DESC CMD...            CMD succeeds
#              not_ok DESC CMD...        CMD fails
#              is GOT WANT DESC          equal strings
#              isnt GOT UNWANTED DESC    different strings
#              like GOT ERE DESC         GOT matches   (unlike: does not)
#              status_is N CMD...        exit status of CMD; then $out, $err, $status are set
#              out_is TEXT, out_like ERE, err_is TEXT, err_like ERE   of the last run/status_is
#              golden NAME CMD...        stdout, stderr and status equal tests/.../NAME.golden;
#                                        VM_TEST_UPDATE=1 writes the file. golden_filter() may be redefined.
#              wait_for SECONDS DESC CMD...   CMD succeeds within that time, or five times that on a busy machine
#              await SECONDS CMD...      the same without a line of its own: a status
#              leftovers DESC            no process, mount, group, socket or tap of this test is left
#              pass DESC, fail DESC, skip N REASON, skip_all REASON, todo_fail DESC
# Others       run CMD...                sets $out, $err, $status
#              diag TEXT                 a comment in the output
#              at_exit CMD               run at the end, last given first
#              needs PROGRAM...          skips the whole script unless all of them are built
#              root_needed               skips the whole script unless root
#              guest_xml NAME [EXTRA]    prints a document for the test guest; EXTRA goes into <devices>
#              linux_needed              skips the whole script unless the Linux guest can be made; sets
#                                        $VM_LINUX_KERNEL and $VM_LINUX_INITRD
#              guest_says NAME ERE       the guest's console log has a line like this
#              devices_held              prints the claims and the records of host devices
#              guest_tell NAME LINE      gives the guest a command; its document was made with VM_TEST_SERIAL=pipe
# The script ends with: done_testing

set -u
tap_n=0
tap_failed=0
tap_done=
tap_exit=
tap_dir=$(cd "$(dirname "$0")" && pwd)
tap_name=$(basename "$0" .sh)

LC_ALL=C
TZ=UTC0
export LC_ALL TZ
umask 022
: "${VM_SOURCE:=$(cd "$tap_dir" && while [ ! -e CMakePresets.json ] && [ "$PWD" != / ]; do cd ..; done && pwd)}"
if [ -z "${VM_BUILD:-}" ]; then
	VM_BUILD=$(ls -dt "$VM_SOURCE"/build/*/bin 2>/dev/null | head -n 1)
	VM_BUILD=${VM_BUILD%/bin}
	: "${VM_BUILD:=$VM_SOURCE/build/dev}"
fi
: "${VM_TEST_GUEST:=$VM_BUILD/tests/guest/guest.elf}" "${VM_TEST_DATA:=$VM_SOURCE/tests/data}"
: "${VM_TEST_CACHE:=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vm-utils}"
PATH=$VM_BUILD/bin:$PATH
export PATH VM_SOURCE VM_BUILD VM_TEST_GUEST VM_TEST_DATA VM_TEST_CACHE
[ -n "${VM_INSIDE_HOST:-}" ] || unset VM_TIMEOUT
unset VM_CONNECT VM_URI LIBVIRT_DEFAULT_URI

. "$VM_SOURCE/tests/lib/reap.sh"

if [ -n "${VM_TEST_TMP:-}" ]; then
	T=$VM_TEST_TMP
else
	T=$(mktemp -d "${TMPDIR:-/tmp}/vmt.XXXXXX") || exit 1
	chmod 755 "$T"
fi
VM_ROOT=$T/r
mkdir "$VM_ROOT"
export VM_ROOT T

tap_cleanup() {
	tap_status=$?
	trap - EXIT HUP INT TERM
	eval "$tap_exit"
	[ ! -e "$T/.readers" ] || kill $(cat "$T/.readers") 2>/dev/null
	if [ -z "${VM_TEST_TMP:-}" ]; then
		vm_test_reap "$T"
		if [ -n "${VM_TEST_KEEP:-}" ]; then
			echo "# kept $T"
		else
			rm -rf --one-file-system "$T"
		fi
	fi
	if [ -z "$tap_done" ]; then
		echo "Bail out! $tap_name ended before done_testing (status $tap_status)"
		[ "$tap_status" -ne 0 ] || tap_status=1
	fi
	exit "$tap_status"
}
trap tap_cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

pass() {
	tap_n=$((tap_n + 1))
	printf 'ok %d - %s\n' "$tap_n" "$(printf %s "$*" | tr '\n#' ' .')"
}

fail() {
	tap_n=$((tap_n + 1))
	tap_failed=$((tap_failed + 1))
	printf 'not ok %d - %s\n' "$tap_n" "$(printf %s "$*" | tr '\n#' ' .')"
	return 0
}

skip() {
	tap_count=$1
	shift
	while [ "$tap_count" -gt 0 ]; do
		tap_n=$((tap_n + 1)) tap_count=$((tap_count - 1))
		printf 'ok %d # SKIP %s\n' "$tap_n" "$*"
	done
}

skip_all() {
	printf '1..0 # SKIP %s\n' "$*"
	tap_done=1
	exit 77
}

todo_fail() {
	tap_n=$((tap_n + 1))
	printf 'not ok %d - %s # TODO\n' "$tap_n" "$*"
}

done_testing() {
	printf '1..%d\n' "$tap_n"
	tap_done=1
	[ "$tap_failed" -eq 0 ] || { diag "$tap_failed of $tap_n failed"; exit 1; }
	exit 0
}

at_exit() { tap_exit="$*; $tap_exit"; }

needs() {
	for tap_program; do
		[ -x "$VM_BUILD/bin/$tap_program" ] || skip_all "$tap_program is not built"
	done
}

root_needed() { [ "$(id -u)" = 0 ] || skip_all "needs root"; }

# Runs a command and keeps what it said. A trailing newline is dropped, as $(...) does.
run() {
	"$@" >"$T/.out" 2>"$T/.err" </dev/null
	status=$?
	out=$(tr -d '\000' <"$T/.out")
	err=$(tr -d '\000' <"$T/.err")
	tap_command="$*"
	return 0
}

tap_show() {
	diag "command: $tap_command"
	diag "status:  $status"
	[ -z "$out" ] || diag "stdout:  $out"
	[ -z "$err" ] || diag "stderr:  $err"
}

ok() {
	tap_desc=$1
	shift
	run "$@"
	if [ "$status" -eq 0 ]; then pass "$tap_desc"; else fail "$tap_desc"; tap_show; fi
}

not_ok() {
	tap_desc=$1
	shift
	run "$@"
	if [ "$status" -ne 0 ]; then pass "$tap_desc"; else fail "$tap_desc"; tap_show; fi
}

is() {
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3"
		diag "got:    $1"
		diag "wanted: $2"
	fi
}

isnt() {
	if [ "$1" != "$2" ]; then pass "$3"; else fail "$3"; diag "got: $1"; fi
}

like() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		pass "$3"
	else
		fail "$3"
		diag "got:         $1"
		diag "wanted like: $2"
	fi
}

unlike() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		fail "$3"
		diag "got:           $1"
		diag "unwanted like: $2"
	else
		pass "$3"
	fi
}

status_is() {
	tap_want=$1
	shift
	run "$@"
	if [ "$status" -eq "$tap_want" ]; then
		pass "status $tap_want: $*"
	else
		fail "status $tap_want: $*"
		tap_show
	fi
}

out_is() { is "$out" "$1" "${2:-stdout of $tap_command}"; }
err_is() { is "$err" "$1" "${2:-stderr of $tap_command}"; }
out_like() { like "$out" "$1" "${2:-stdout of $tap_command}"; }
err_like() { like "$err" "$1" "${2:-stderr of $tap_command}"; }

# Puts fixed words for what differs from run to run. A script may redefine it.
golden_filter() { cat; }

golden() {
	tap_file=$tap_dir/$tap_name.golden.d/$1
	shift
	run "$@"
	{
		printf '$ %s\n' "$*"
		sed '$a\' "$T/.out"
		sed -e 's/^/2> /' -e '$a\' "$T/.err"
		printf '[%d]\n' "$status"
	} | sed -e "s|$T/r|@ROOT@|g" -e "s|$T|@T@|g" -e "s|$VM_BUILD|@BUILD@|g" -e "s|$VM_SOURCE|@SOURCE@|g" |
		golden_filter >"$T/.golden"
	if [ -n "${VM_TEST_UPDATE:-}" ]; then
		mkdir -p "${tap_file%/*}"
		cp "$T/.golden" "$tap_file"
		pass "golden ${tap_file##*/} written"
	elif [ ! -e "$tap_file" ]; then
		fail "golden ${tap_file##*/}"
		diag "no such file: $tap_file; make it with VM_TEST_UPDATE=1 and review it"
	elif tap_diff=$(diff -u "$tap_file" "$T/.golden"); then
		pass "golden ${tap_file##*/}"
	else
		fail "golden ${tap_file##*/}"
		diag "$tap_diff"
	fi
}

await() {
	tap_until=$(($(date +%s%N) / 1000000 + $1 * 5000))
	shift
	while :; do
		run "$@"
		[ "$status" -ne 0 ] || return 0
		[ $(($(date +%s%N) / 1000000)) -lt "$tap_until" ] || return 1
		sleep 0.05
	done
}

wait_for() {
	tap_desc=$2
	tap_seconds=$1
	shift 2
	if await "$tap_seconds" "$@"; then
		pass "$tap_desc"
		return 0
	fi
	fail "$tap_desc"
	tap_show
	return 1
}

# What this test holds on the host; prints nothing when that is nothing.
tap_leftovers() {
	tap_processes=$(vm_test_processes "$VM_ROOT")
	[ -z "$tap_processes" ] || printf '%s\n' "$tap_processes" | sed 's/^/process /'
	vm_test_mounts "$VM_ROOT" | sed 's/^/mount /'
	vm_test_groups "$VM_ROOT" | sed 's/^/group /'
	find "$VM_ROOT" -xdev \( -type s -o -type p -o -name '.tmp*' -o -name '*.tmp' -o -name '*.new' \) 2>/dev/null |
		sed 's/^/file /'
	tap_mark=$("$VM_BUILD/tests/group-scan" --tag "$VM_ROOT")
	for tap_link in /sys/class/net/*; do
		read -r tap_word tap_owner <"$tap_link/ifalias" || continue
		if [ "$tap_word" = vm-utils ] && [ "${tap_owner%%/*}" = "qemu.$tap_mark" ]; then echo "link ${tap_link##*/}"; fi
	done 2>/dev/null
}

# A watcher that is just ending gets the time it needs on a busy machine.
leftovers() {
	tap_until=$(($(date +%s) + 10))
	while tap_left=$(tap_leftovers) && [ -n "$tap_left" ] && [ "$(date +%s)" -lt "$tap_until" ]; do
		sleep 0.1
	done
	if [ -z "$tap_left" ]; then pass "${1:-nothing is left over}"; else fail "${1:-nothing is left over}"; diag "$tap_left"; fi
}

# $tap_port: the serial port of a guest, a file, or with VM_TEST_SERIAL=pipe two pipes, one of which is read into that file.
tap_serial() {
	if [ "${VM_TEST_SERIAL:-file}" = file ]; then
		tap_port="<serial type='file'><source path='$T/$1.console'/><target port='0'/></serial>"
		return
	fi
	tap_port="<serial type='pipe'><source path='$T/$1.serial'/><target port='0'/></serial>"
	[ ! -e "$T/$1.serial.in" ] || return
	mkfifo "$T/$1.serial.in" "$T/$1.serial.out"
	chmod 666 "$T/$1.serial.in" "$T/$1.serial.out"
	# holding it open for writing too, the reader outlives a restart of the guest
	(
		env -u VM_ROOT sh -c 'exec cat <>"$1" >>"$2"' sh "$T/$1.serial.out" "$T/$1.console" >/dev/null 2>&1 &
		echo $! >>"$T/.readers"
	)
}

guest_xml() {
	tap_guest=$1
	# the guest's own uid writes it
	: >>"$T/$tap_guest.console"
	chmod 666 "$T/$tap_guest.console"
	tap_serial "$tap_guest"
	cat <<END
<domain type='qemu'>
  <name>$tap_guest</name>
  <memory unit='MiB'>${VM_TEST_MEMORY:-32}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='${VM_TEST_MACHINE:-q35}'>hvm</type>
    <kernel>$VM_TEST_GUEST</kernel>
  </os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    $tap_port
${2:-}
  </devices>
</domain>
END
}

# Does PID run no code any more?  Its first thread may be a zombie before the others let go of what they hold.
process_ended() {
	case $(ps -o stat= -p "$1") in
	'') ;;
	Z*) [ "$(ls "/proc/$1/task" 2>/dev/null | wc -l)" -le 1 ] ;;
	*) false ;;
	esac
}
guest_tell() { printf '%s\n' "$2" >"$T/$1.serial.in"; }
guest_says() { grep -Eq -e "$2" "$T/$1.console"; }
devices_held() { (cd "$VM_ROOT/run/vm" && ls -d claims/* hostdev/* 2>/dev/null | grep -v '\.lock$'); }

linux_needed() {
	VM_LINUX_KERNEL=$VM_BUILD/tests/linux/vmlinuz VM_LINUX_INITRD=$VM_BUILD/tests/linux/initrd
	tap_why=$("$VM_SOURCE/tests/guest/linux.sh" "$VM_BUILD/tests/linux" 2>&1) || skip_all "${tap_why:-no Linux guest}"
	export VM_LINUX_KERNEL VM_LINUX_INITRD
}
