# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-export: a document or a guest as QEMU's command line; nothing of it exists.
. "$(dirname "$0")/../tap.sh"

cat >"$T/web1.xml" <<'END'
<domain type='qemu'>
  <name>web1</name>
  <uuid>6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11</uuid>
  <memory unit='MiB'>64</memory>
  <os><type machine='q35'>hvm</type><cmdline>it's "quoted"</cmdline><kernel>/no/kernel</kernel></os>
  <clock offset='timezone' timezone='Europe/Paris'/>
  <devices>
    <disk type='file'><driver name='qemu' type='qcow2'/><source file='/no/such, image'/><target dev='vda' bus='virtio'/></disk>
    <interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br-none'/><model type='virtio'/></interface>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  </devices>
</domain>
END

golden argv vm-export "$T/web1.xml"
golden json vm-export --json "$T/web1.xml"
is "$(vm-export --file "$T/web1.xml")" "$(vm-export "$T/web1.xml")" "--file FILE"
is "$(vm-export - <"$T/web1.xml")" "$(vm-export "$T/web1.xml")" "standard input"
like "$(vm-export --json "$T/web1.xml")" '"env":\["TZ=Europe/Paris"\],"argv":\["/usr/bin/qemu' "JSON has the environment apart"
cp "$T/web1.xml" "$T/odd name"
is "$(cd "$T" && vm-export --file="odd name")" "$(vm-export "$T/web1.xml")" "a file of any name"

ok "what is printed is a command for a shell" sh -c 'vm-export "$1" | sed "1s/ .usr.bin.qemu-system-x86_64/ printf %s./" | sh >/dev/null' sh "$T/web1.xml"

golden no-file vm-export "$T/none.xml"
golden no-guest vm-export web1
golden format vm-export --format=xl-config "$T/web1.xml"
golden neither vm-export
golden both vm-export --file "$T/web1.xml" web1
sed 's/machine=.q35./machine="isapc"/' "$T/web1.xml" >"$T/isapc.xml"
golden unsupported vm-export "$T/isapc.xml"
golden unsupported-json vm-export --json "$T/isapc.xml"
echo '<domain type="qemu"><name>x</name' >"$T/bad.xml"
golden malformed vm-export "$T/bad.xml"
vm-export "$T/web1.xml" >/dev/full 2>"$T/err"
is "$?" 14 "a full disk"

# A guest: its definition. What is started is what is printed.
needs vm-define vm-start
status_is 0 vm-define "$T/web1.xml"
status_is 0 vm-export web1
is "$out" "$(vm-export "$T/web1.xml")" "a guest gives the same"
is "$(vm-start --print web1)" "$out" "vm-start --print too"
is "$(vm-export --domain web1)" "$out" "--domain GUEST"
is "$(vm-export 6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11)" "$out" "by UUID"
leftovers
done_testing
