# SPDX-License-Identifier: LGPL-2.1-or-later
# Limits and pinning where version 2 of cgroups has all controllers.
# timeout: 2100
HOST_TIMEOUT=${HOST_TIMEOUT:-2050}
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
host_machine
host_modules loop bfq
host_tests live/tune
done_testing
