# SPDX-License-Identifier: LGPL-2.1-or-later
# A limit of locked memory that may not be raised here counts as raised, by what stands in for VFIO. Sourced after tap.sh.
mkdir "$T/limits"
cp "$VM_BUILD/tests/vfio-stand-in.so" "$T/limits/"
chmod 755 "$T"
VFIO_STAND_IN_LIMITS=$T/limits LD_PRELOAD=$T/limits/vfio-stand-in.so
export VFIO_STAND_IN_LIMITS LD_PRELOAD
