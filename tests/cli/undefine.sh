# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-undefine: what goes with a definition, and what is refused.
. "$(dirname "$0")/../tap.sh"
needs vm-define vm-undefine

etc=$VM_ROOT/etc/vm/qemu lib=$VM_ROOT/var/lib/vm/qemu
mkdir "$T/img"

# make NAME [DEVICES [OS]]: defines it
make() {
	cat >"$T/$1.xml" <<END
<domain type='qemu'>
  <name>$1</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type>${3:-}</os>
  <features><acpi/></features>
  <devices>${2:-}</devices>
</domain>
END
	vm-define -q "$T/$1.xml" || echo "# cannot define $1"
}
disk() { echo "<disk type='file' device='${2:-disk}'><source file='$T/img/$1'/><target dev='$1' bus='sata'/>${3:-}</disk>"; }
gone() { ok "${2:-$1 is gone}" test ! -e "$etc/$1.xml"; }
there() { ok "$1 is still defined" test -e "$etc/$1.xml"; }

# ---- plain ----
make web1
golden plain vm-undefine web1
gone web1
is "$(find "$VM_ROOT" -type f -o -type l -o -name 'web1*')" "" "nothing at all is left"
golden none vm-undefine web1
make a
make b
golden several vm-undefine a nix b
gone a
gone b
make a
golden json vm-undefine --json a
make a
golden dry-run vm-undefine --dry-run a
there a
echo '<domain' >"$etc/a.xml"
status_is 0 vm-undefine a
gone a "a definition that cannot be read"
is "$(ls "$etc/by-uuid")" "" "and its UUID"

# ---- what belongs to it ----
make save
mkdir -p "$lib/save"
echo x >"$lib/save/managed.save"
golden managed-save vm-undefine save
there save
status_is 0 vm-undefine --managed-save save
gone save
ok "so is what was saved" test ! -e "$lib/save"

make snap
mkdir -p "$lib/snap/snapshots" "$lib/snap/checkpoints" "$lib/snap/tpm"
touch "$lib/snap/snapshots/one.xml" "$lib/snap/snapshots/two.xml" "$lib/snap/checkpoints/c.xml"
golden snapshots vm-undefine snap
golden checkpoints vm-undefine --snapshots-metadata snap
ok "refused whole" test -e "$lib/snap/snapshots/one.xml"
status_is 0 vm-undefine --snapshots-metadata --checkpoints-metadata --keep-tpm snap
ok "the TPM was to be kept" test -d "$lib/snap/tpm"
make snap
status_is 0 vm-undefine --tpm snap
ok "and now was not" test ! -e "$lib/snap"

nv="<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader><nvram>$T/nv</nvram>"
make uefi "" "$nv"
status_is 0 vm-undefine uefi
make uefi "" "$nv"
echo nv >"$T/nv"
golden nvram vm-undefine uefi
status_is 2 vm-undefine --nvram --keep-nvram uefi
status_is 2 vm-undefine --tpm --keep-tpm uefi
status_is 0 vm-undefine --keep-nvram uefi
ok "NVRAM is kept" test -e "$T/nv"
make uefi "" "$nv"
status_is 0 vm-undefine --nvram uefi
ok "NVRAM is removed" test ! -e "$T/nv"

# ---- storage ----
fill() { for i; do echo data >"$T/img/$i"; done; }
fill sda sdb sdc sdd
make st "$(disk sda)$(disk sdb)$(disk sdc cdrom "<readonly/>")$(disk sdd disk "<shareable/>")"
golden storage-none vm-undefine --storage=vdx st
status_is 2 vm-undefine --storage sda --remove-all-storage st
status_is 2 vm-undefine --wipe-storage st
status_is 2 vm-undefine --delete-storage-volume-snapshots st
there st
golden storage-dry vm-undefine --dry-run --remove-all-storage st
status_is 0 vm-undefine --storage "sda,$T/img/sdc" --delete-storage-volume-snapshots st
is "$(ls "$T/img" | tr '\n' ' ')" "sdb sdd " "the two that were named"
fill sda sdc
make st "$(disk sda)$(disk sdb)$(disk sdc cdrom "<readonly/>")$(disk sdd disk "<shareable/>")"
make other "$(disk sdb)"
golden storage-other vm-undefine --remove-all-storage st
is "$(ls "$T/img" | tr '\n' ' ')" "sda sdb sdc sdd " "refused whole"
there st
status_is 0 vm-undefine other
ln "$T/img/sda" "$T/second"
golden storage-links vm-undefine --remove-all-storage --wipe-storage st
rm "$T/second" "$T/img/sdb"
golden storage-all vm-undefine --remove-all-storage --wipe-storage st
is "$(ls "$T/img" | tr '\n' ' ')" "sdc sdd " "media and shared ones stay"
gone st
ln -s "$T/img/sdc" "$T/img/sda"
make st "$(disk sda)"
golden storage-special vm-undefine --remove-all-storage st
there st
status_is 0 vm-undefine st

# ---- a guest that is named like the id or UUID of another is not meant ----
make 5a3e7b6e-9a6b-4e5c-8f5e-1c2d3e4f5a6b
status_is 0 vm-undefine 5a3e7b6e-9a6b-4e5c-8f5e-1c2d3e4f5a6b
gone 5a3e7b6e-9a6b-4e5c-8f5e-1c2d3e4f5a6b
done_testing
