# SPDX-License-Identifier: LGPL-2.1-or-later
# mdev.sh on a host that has cgroups of version 1 alone.
# timeout: 600
HOST_CGROUP=v1
. "$(dirname "$0")/mdev.sh"
