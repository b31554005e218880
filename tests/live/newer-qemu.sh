# SPDX-License-Identifier: LGPL-2.1-or-later
# Tests of this suite with the newer QEMU that scripts/setup unpacks, put over this machine's for these processes alone.
# timeout: 400
cache=${VM_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vm-utils}/newer-qemu
if [ -z "${VM_NEWER:-}" ] && [ -e "$cache/.complete" ] && [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	VM_NEWER=$cache/usr
	export VM_NEWER
	exec unshare -m sh -c '
		for part in bin/qemu-system-x86_64 lib/x86_64-linux-gnu/qemu; do mount --bind "$VM_NEWER/$part" "/usr/$part" || exit; done
		exec sh "$0"' "$0"
fi
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
root_needed
[ -e "$cache/.complete" ] || skip_all "no newer QEMU in $cache; scripts/setup fetches it"
[ -n "${VM_NEWER:-}" ] || skip_all "no mounts of its own here"
version=$(qemu-system-x86_64 --version | sed -n 's/^QEMU emulator version \([0-9]*\).*/\1/p')
ok "it is newer than the oldest that is supported" test "$version" -gt 7
host_tests live/start live/net live/cpu live/hotplug-kinds
done_testing
