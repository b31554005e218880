# SPDX-License-Identifier: LGPL-2.1-or-later
# The front end: execs tools, explains virsh's commands, translates their arguments.
. "$(dirname "$0")/../tap.sh"
needs vm vm-list

# A copy of vm with tools of its own beside it, which say what they were given.
mkdir "$T/bin"
cp "$VM_BUILD/bin/vm" "$T/bin/vm"
for tool in vm-start vm-info vm-list; do
	printf '#!/bin/sh\nprintf "%%s" "${0##*/}"\n[ $# -eq 0 ] || printf "[%%s]" "$@"\necho\n' >"$T/bin/$tool"
	chmod +x "$T/bin/$tool"
done
PATH=/bin:/usr/bin
vm=$T/bin/vm

status_is 0 "$vm" start --paused "a b" -- -x
out_is 'vm-start[--paused][a b][--][-x]' "arguments go on as they are"
status_is 0 "$vm" -c qemu:///session --json --timeout 3 start web1
out_is 'vm-start[-c][qemu:///session][--json][--timeout][3][web1]' "options before the command too"
status_is 0 "$vm" virsh -c qemu:///session -q domstate --reason web1
out_is 'vm-info[--connect=qemu:///session][--quiet][--get=state][--reason][--][web1]' "virsh's words are translated"
status_is 0 "$vm" virsh --connect=qemu:///session list --all
out_is 'vm-list[--connect=qemu:///session][--all]'
status_is 2 "$vm"
err_is "vm: COMMAND is missing
Try 'vm --help'."
status_is 2 "$vm" domstate web1
err_is "vm: virsh's domstate is vm-info with --get=state; 'vm virsh domstate ...' takes virsh's arguments
Try 'vm --help'."
status_is 3 "$vm" domifaddr web1
err_is "vm: virsh's domifaddr is vm-address, which is not there yet; 'vm help' lists what is"
status_is 3 "$vm" address web1
err_is "vm: vm-address is not there yet; 'vm help' lists what is"
status_is 3 "$vm" virsh domifaddr web1
err_is "vm: virsh's domifaddr is vm-address, which is not there yet; 'vm help' lists what is"
status_is 3 "$vm" virsh domifaddr web1 --json
err_is '{"error":{"kind":"unsupported","status":3,"object":null,"message":"virsh'"'"'s domifaddr is vm-address, which is not there yet","hint":"'"'vm help'"' lists what is"}}'
status_is 2 "$vm" strat web1
err_is "vm: there is no command 'strat'; did you mean 'start'?
Try 'vm --help'."
status_is 2 "$vm" frobnicate
err_is "vm: there is no command 'frobnicate'
Try 'vm --help'."
status_is 2 "$vm" virsh
err_is "vm: VIRSH-COMMAND is missing
Try 'vm --help'."
status_is 2 "$vm" virsh dumpxnl x
err_is "vm: virsh has no command 'dumpxnl'; did you mean 'dumpxml'?
Try 'vm --help'."
status_is 2 "$vm" virsh -r list
err_is "vm: virsh's own option -r is not taken here
Try 'vm --help'."
status_is 2 "$vm" ../start
status_is 2 "$vm" virsh cd /
status_is 0 "$vm" help
out_is "vm-info	show a guest
vm-list	list guests
vm-start	start guests"
status_is 0 "$vm" help domstate
out_is 'vm-info[--help]'
status_is 0 "$vm" help start
out_is 'vm-start[--help]'
status_is 3 "$vm" help domifaddr
status_is 2 "$vm" help nonsense
status_is 0 "$vm" --help
out_like '^Usage: vm \[OPTION\.\.\.\] COMMAND'
status_is 0 "$vm" --version
status_is 0 "$vm" commands --help
status_is 0 "$vm" commands
is "$(printf '%s\n' "$out" | wc -l)" 267 "every command of virsh is listed"
like "$out" '^domifaddr	no	vm-address	-$' "with its tool"
like "$out" '^domblklist	yes	vm-info	disks$' "and what is given to it"
status_is 0 "$vm" commands --json
out_like '^\{"schema":"vm-commands/1","commands":\[\{"command":"allocpages","available":false,'
"$vm" commands >/dev/full 2>/dev/null
is "$?" 14 "a full disk under stdout"
"$vm" start >/dev/null 2>&1
is "$?" 0 "vm start without arguments is the tool's matter"
status_is 3 env PATH=/nonexistent "$vm" suspend x
chmod -x "$T/bin/vm-info"
status_is 3 "$vm" info x

# Every option that is passed on must be one of the tool's, as far as the tools are built.
PATH=$VM_BUILD/bin:$PATH
"$VM_BUILD/bin/vm" commands --json | sed 's/{"command":/\n&/g' |
	sed -n 's/^{"command":"\([^"]*\)","available":true,"tool":"\([^"]*\)","with":\(null\|"\([^"]*\)"\),"options":"\([^"]*\)"}.*/\1	\2	\4 .	\5/p' >"$T/rows"
ok "there are translations to check" test -s "$T/rows"
while IFS='	' read -r command tool with options; do
	"$VM_BUILD/bin/$tool" --vm-options >"$T/tool" 2>/dev/null
	missing=
	IFS='|'
	for option in $options $(printf '%s' "$with" | tr ' ' '|'); do
		case $option in
		--*) option=${option%%=*} option=${option#--} ;;
		*'!'* | *'=@'* | *'>') continue ;;
		*'>--'* | *'>~--'*) option=${option#*--} option=${option%%=*} ;;
		*) option=${option%%=*} option=${option%:} ;;
		esac
		case $option in [a-z]*) ;; *) continue ;; esac
		case " $with " in *" $option "*) continue ;; esac # an operand
		grep -q "^option	$option	" "$T/tool" || missing="$missing --$option"
	done
	unset IFS
	is "$missing" "" "virsh $command: $tool has the options"
done <"$T/rows"
is "$("$VM_BUILD/bin/vm" commands --json | sed 's/{"command":/\n&/g' |
	sed -n 's/^{"command":"\([^"]*\)","available":true,.*"options":null.*/\1/p' | tr '\n' ' ')" "" \
	"the arguments of every command whose tool is here are translated"
done_testing
