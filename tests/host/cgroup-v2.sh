# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests' groups through every end of theirs, on a host with cgroup v2 alone.
# timeout: 820
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_CGROUP=v2 HOST_TIMEOUT=800
host_machine

host_tests live/cgroup
done_testing
