# SPDX-License-Identifier: LGPL-2.1-or-later
# Every program has a page that names every option of its --help, and every page is clean mdoc.
. "$(dirname "$0")/../tap.sh"
command -v mandoc >/dev/null || skip_all "no mandoc"
# Helpers and the front end have no options of their own.
plain="vm vm-watch vm-index vm-info-all vm-hostdev-reap vm-hostdev-settle"

for page in "$VM_SOURCE"/man/*.[1-9]; do
	[ -e "$page" ] || continue
	lint=$(mandoc -Tlint -Wwarning "$page" 2>&1 | grep -v 'referenced manual not found')
	is "$lint" "" "${page##*/} is clean"
done

# The options of a --help text, one a line.
options() { grep -oE '(^|[ ,])--[a-z][a-z0-9-]*' | tr -d ' ,' | sort -u; }
common="--connect --timeout --dry-run --json --quiet --verbose --help --version"

for file in "$VM_BUILD"/bin/*; do
	program=${file##*/}
	[ -x "$file" ] && [ -e "$VM_SOURCE/bin/$program.c" ] || continue
	page=$(ls "$VM_SOURCE/man/$program".[18] 2>/dev/null | head -n 1)
	if [ -z "$page" ]; then
		fail "$program has a page"
		continue
	fi
	pass "$program has a page"
	case " $plain " in *" $program "*) continue ;; esac
	missing=
	text=$(mandoc -Tascii "$page" | col -b)
	for option in $("$program" --help | options); do
		case " $common " in *" $option "*) continue ;; esac
		printf '%s\n' "$text" | grep -qE -e "(^|[^a-z-])$option([^a-z0-9-]|$)" || missing="$missing $option"
	done
	is "$missing" "" "${page##*/} names every option of --help"
	extra=
	help=$("$program" --help)
	for option in $(printf '%s\n' "$text" | grep -oE '^ +(-[a-zA-Z], )?--[a-z][a-z0-9-]*' | grep -oE -e '--[a-z][a-z0-9-]*' | sort -u); do
		printf '%s\n' "$help" | grep -qE -e "(^|[^a-z-])$option([^a-z0-9-]|$)" || extra="$extra $option"
	done
	is "$extra" "" "${page##*/} lists no option that --help lacks"
done
done_testing
