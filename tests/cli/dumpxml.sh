# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-dumpxml: the document as written, completed, without its secrets.
. "$(dirname "$0")/../tap.sh"

cat >"$T/web1.xml" <<'END'
<?xml version="1.0"?>
<!-- mine -->
<domain type="qemu">
  <name>web1</name>
  <uuid>6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11</uuid> <!-- fixed -->
  <memory unit="MiB">64</memory>
  <os><type arch="x86_64" machine="pc-q35-7.2">hvm</type></os>
  <devices>
	<emulator>/usr/bin/qemu-system-x86_64</emulator>
    <graphics type="vnc" passwd="geheim" autoport='yes'/>
    <controller type="usb" model="none"/>
    <memballoon model="none"/>
  </devices>
</domain>
END

status_is 0 vm-dumpxml --file "$T/web1.xml" --security-info
printf '%s\n' "$out" >"$T/full.xml"
# What was written is there, line by line and in its order; lines were only added or completed.
is "$(diff "$T/web1.xml" "$T/full.xml" | grep '^<')" '<     <controller type="usb" model="none"/>' "every line is kept but the one completed"
like "$out" '<controller type="usb" model="none" index="0"/>' "which got its index"
like "$out" "<controller type='pci' index='0' model='pcie-root'/>" "what was missing was added"
like "$out" 'passwd="geheim"' "--security-info shows the password"

status_is 0 vm-dumpxml --file="$T/web1.xml"
unlike "$out" geheim "otherwise it is cut"
is "$(printf '%s\n' "$out" | diff "$T/full.xml" - | grep '^>')" ">     <graphics type=\"vnc\" autoport='yes'/>" "and nothing else"

status_is 0 sh -c 'vm-dumpxml --file - --security-info <"$1"' sh "$T/full.xml"
is "$out" "$(cat "$T/full.xml")" "completing twice changes nothing"

status_is 0 vm-dumpxml --file="$T/web1.xml" --json
like "$out" '^\{"schema":"vm-dumpxml/1","source":"file","xml":"<\?xml version=\\"1\.0\\"\?>\\n<!-- mine -->' "--json"
vm-dumpxml --file="$T/web1.xml" >/dev/full 2>"$T/err"
is "$?" 14 "a full disk"

run sh -c 'sed "s/autoport/autopport/" "$1" | vm-dumpxml --file=-' sh "$T/web1.xml"
is "$status" 3 "an unknown attribute is unsupported"
err_like "vm-dumpxml: stdin:10:42: <graphics> attribute 'autopport' is not supported yet"
run sh -c 'sed "s/64/many/" "$1" | vm-dumpxml --file=-' sh "$T/web1.xml"
is "$status" 6 "a bad number is bad input"
err_like "stdin:6:3: <memory>: 'many' is not a number"
run sh -c 'sed "s/mode=.none.//; s/<domain type=.qemu./& cpu/" "$1" | vm-dumpxml --file=-' sh "$T/web1.xml"
is "$status" 6 "so is malformed XML"
err_like "stdin:3:21: attribute 'cpu' has no value"
run sh -c 'sed "s|<devices>|<cpu mode=\"host-model\"/>&|; s|<emulator>.*</emulator>|<emulator>/usr/bin/qemu-none</emulator>|" "$1" | vm-dumpxml --update-cpu --file=-' sh "$T/web1.xml"
is "$status" 5 "without a QEMU nobody knows what host-model is"
err_like "<cpu mode='host-model'>: emulator /usr/bin/qemu-none"
run vm-dumpxml --file="$T/none.xml"
is "$status" 5 "no such file"

run vm-dumpxml
is "$status" 2 "without operand"
run vm-dumpxml --file=x y
is "$status" 2 "file and guest"
run vm-dumpxml --live --inactive web1
is "$status" 2 "--live --inactive"
run vm-dumpxml nobody
is "$status" 5 "no such guest"

if [ -x "$VM_BUILD/bin/vm-define" ]; then
	status_is 0 vm-define "$T/web1.xml"
	status_is 0 vm-dumpxml --security-info web1
	is "$out" "$(cat "$T/full.xml")" "a definition is kept as it was written and completed"
	status_is 0 vm-dumpxml --inactive 6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11
	unlike "$out" geheim "by UUID, without the password"
	status_is 0 vm-dumpxml --json --domain web1
	like "$out" '"source":"definition"' "--json says where from"
	run vm-dumpxml --live web1
	is "$status" 7 "--live of what does not run"
fi
done_testing
