# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 120
# vm-dumpxml and vm-edit of a guest that runs.
. "$(dirname "$0")/../tap.sh"
needs vm-dumpxml vm-edit vm-define vm-start vm-destroy

guest_xml web1 "<!-- mine --><serial type='pty'><target port='1'/></serial>" >"$T/web1.xml"
status_is 0 vm-define "$T/web1.xml"
status_is 0 vm-dumpxml web1
printf '%s\n' "$out" >"$T/defined"
status_is 0 vm-start web1
at_exit 'vm-destroy --if-needed -q web1'

status_is 0 vm-dumpxml web1
live=$out
like "$live" "<domain [^>]*id=['\"][0-9]+['\"]" "what runs has an id"
like "$live" "<source path=['\"]/dev/pts/[0-9]+['\"]" "and its terminals"
like "$live" "<alias name=['\"]serial" "and aliases"
like "$live" "<!-- mine -->" "and the author's comments"
status_is 0 vm-dumpxml --live web1
is "$out" "$live" "--live is the same"
status_is 0 vm-dumpxml --inactive web1
is "$out" "$(cat "$T/defined")" "--inactive is the definition"
status_is 0 vm-dumpxml --migratable web1
unlike "$out" "/dev/pts|<alias name='serial|<domain [^>]*id=" "--migratable has none of that"
like "$out" "<name>web1</name>" "but is the guest"
printf '%s\n' "$out" | sed 's/>web1</>web2</; /<uuid>/d' >"$T/web2.xml"
status_is 0 vm-dumpxml --file="$T/web2.xml"

status_is 0 vm-edit web1 --set title=new
status_is 0 vm-dumpxml --inactive web1
like "$out" "<title>new</title>" "vm-edit changes the definition"
status_is 0 vm-dumpxml web1
is "$out" "$live" "and not what runs"
status_is 0 vm-destroy web1
run vm-dumpxml --live web1
is "$status" 7 "--live of what does not run any more"
status_is 0 vm-dumpxml web1
like "$out" "<title>new</title>" "then it is the definition"
leftovers "nothing is left"
done_testing
