# SPDX-License-Identifier: LGPL-2.1-or-later
# Completions: generated for every program, right in bash and fish, and safe with guests' names.
. "$(dirname "$0")/../tap.sh"
needs vm-list vm-start vm-shutdown

made=$VM_BUILD/scripts/completions
[ -e "$made/bash/vm" ] || skip_all "completions are not built"
command -v bash >/dev/null || skip_all "no bash"

# A vm-list that says what it was asked and knows awkward guests.
mkdir "$T/bin"
cat >"$T/bin/vm-list" <<'END'
#!/bin/sh
echo "$*" >>"$T/asked"
printf '%s\n' web1 web2 'db 1' '$(touch pwned)' "o'brien"
END
chmod +x "$T/bin/vm-list"
PATH=$T/bin:$PATH
cd "$T" || exit 1

# complete_bash WORD...: what bash would offer for the last word, one a line
cat >"$T/driver" <<'END'
compopt() { :; }
. "$1/bash/vm"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
_vm_utils
printf '%s\n' "${COMPREPLY[@]}"
END
complete_bash() { bash "$T/driver" "$made" "$@" 2>&1; }

is "$(complete_bash vm-start web)" "web1
web2" "bash: guests by the beginning of their names"
is "$(complete_bash vm-start '')" 'web1
web2
db\ 1
\$\(touch\ pwned\)
o\'"'"'brien' "bash: names are quoted"
ok "bash: and never run" test ! -e pwned
like "$(cat "$T/asked")" '^--state=shutoff --name$' "bash: vm-start asks for guests that are off"
: >"$T/asked"
complete_bash vm-shutdown web >/dev/null
is "$(cat "$T/asked")" "--name" "bash: vm-shutdown asks for active guests"
: >"$T/asked"
complete_bash vm-shutdown --connect = qemu : ///session web >/dev/null
is "$(cat "$T/asked")" "--connect=qemu:///session --name" "bash: of the connection that was typed"
: >"$T/asked"
complete_bash vm-shutdown -c qemu:///session web >/dev/null
is "$(cat "$T/asked")" "--connect=qemu:///session --name" "bash: also with -c"
is "$(complete_bash vm-start --pau)" "--paused" "bash: an option"
is "$(complete_bash vm-start --time)" "--timeout=" "bash: an option with a value"
is "$(complete_bash vm-shutdown --then = s)" "save" "bash: the words of an option"
is "$(complete_bash vm-shutdown --then s)" "save" "bash: without ="
is "$(complete_bash vm-list --connect qemu : ///s)" "///system
///session" "bash: URIs, behind their colon"
is "$(complete_bash vm-list --connect = qemu : ///sy)" "///system" "bash: URIs behind ="
is "$(complete_bash vm-list -- --a)" "" "bash: no options behind --"
is "$(complete_bash vm shutd)" "shutdown" "bash: commands of vm"
is "$(complete_bash vm shutdown --then = d)" "destroy" "bash: and their options"
is "$(complete_bash vm shutdown db)" 'db\ 1' "bash: and their guests"
is "$(complete_bash vm-nonsense x)" "" "bash: an unknown program"

for program in "$VM_BUILD"/bin/*; do
	program=${program##*/}
	case $program in vm-watch | vm-index | vm-info-all | vm-hostdev-reap | vm-hostdev-settle) continue ;; esac
	ok "$program has completions" test -e "$made/bash/$program"
done

if command -v zsh >/dev/null; then
	ok "zsh: reads it" zsh -n "$made/zsh/_vm"
else
	skip 1 "no zsh"
fi
if command -v fish >/dev/null; then
	complete_fish() {
		HOME=$T XDG_DATA_DIRS= fish --no-config -c 'for f in '"$made"'/fish/*; source $f; end; complete -C $argv[1]' "$1" 2>&1 |
			cut -f 1
	}
	is "$(complete_fish 'vm-start --pau')" "--paused" "fish: an option"
	is "$(complete_fish 'vm-shutdown --then s')" "save" "fish: the words of an option"
	like "$(complete_fish 'vm-start d')" '^db( |\\ )1$' "fish: guests"
	is "$(complete_fish 'vm shutd')" "shutdown" "fish: commands of vm"
	is "$(complete_fish 'vm start --pau')" "--paused" "fish: and their options"
	ok "fish: names are never run" test ! -e pwned
else
	skip 6 "no fish"
fi
done_testing
