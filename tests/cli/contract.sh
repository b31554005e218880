# SPDX-License-Identifier: LGPL-2.1-or-later
# What every program does alike: --help, --version, usage errors, a full disk under stdout.
. "$(dirname "$0")/../tap.sh"

helpers="vm $(tr '\n' ' ' <"$VM_BUILD/tests/libexec-programs")"
# a build directory may hold programs that are gone from the source
programs=$(for file in "$VM_SOURCE"/bin/*.c; do [ ! -x "$VM_BUILD/bin/$(basename "$file" .c)" ] || basename "$file" .c; done)
[ -n "$programs" ] || skip_all "no program is built"

common_block='Common options:
  -c, --connect=URI'
last_line='Exit status: vm-exit(7).  Manual: man '

for program in $programs; do
	case " $helpers " in *" $program "*) continue ;; esac
	run "$program" --help
	problems=
	[ "$status" -eq 0 ] || problems="$problems status $status;"
	[ -z "$err" ] || problems="$problems text on stderr;"
	printf '%s\n' "$out" | head -n 1 | grep -q "^Usage: $program\( \|$\)" || problems="$problems no Usage line;"
	printf '%s\n' "$out" | grep -q '^Common options:$' || problems="$problems no common options;"
	printf '%s\n' "$out" | tail -n 1 | grep -qF "$last_line$program" || problems="$problems no last line;"
	printf '%s\n' "$out" | grep -q '^.\{81\}' && problems="$problems lines over 80 columns;"
	is "$problems" "" "$program --help"

	run "$program" --version
	like "$status $out" "^0 $program [(]?.*[0-9]+\.[0-9]+" "$program --version"

	run "$program" --no-such-option
	is "$status $(printf '%s\n' "$err" | tail -n 1)" "2 Try '$program --help'." "$program refuses an unknown option"
	is "$(printf '%s\n' "$err" | wc -l)" 2 "$program: one line and the hint"

	"$program" --help >/dev/full 2>/dev/null
	is "$?" 14 "$program: a full disk under --help"

	run "$program" --timeout=0
	is "$status" 2 "$program refuses --timeout=0"
done

# Nothing local loads a heavy library.
for program in $programs; do
	libraries=$(objdump -p "$VM_BUILD/bin/$program" 2>/dev/null | sed -n 's/^ *NEEDED *//p')
	heavy='curl|glib|ssl|xenlight|liblxc|xml2|icu|stdc'
	[ "$program" != vm-edit ] || heavy='curl|glib|ssl|xenlight|liblxc'
	unlike "$libraries" "$heavy" "$program loads no heavy library"
	case $program in
	vm-list | vm-watch | vm-events) is "$(printf '%s\n' "$libraries" | grep -vE '^(libc\.so|ld-linux|lib(a|t|ub)san)')" "" "$program loads libc alone" ;;
	esac
done
done_testing
