/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#define DIRECTORY "/sys/class/fc/fc_udev_device"

int vm_fc_appid_set(uint64_t group, const char *appid, struct vm_err *err)
{
	VM_AUTO_FREE char *text = vm_xasprintf("%" PRIX64 ":%s", group, appid);
	VM_AUTO_FD int dir = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || faccessat(dir, "appid_store", F_OK, 0) < 0)
		return vm_err_set(err, VM_UNSUPPORTED,
				  "<fibrechannel appid>: this host has no " DIRECTORY "/appid_store");
	if (vm_kfile_write(dir, "appid_store", text, err) < 0)
		return vm_err_wrap(err, "set the Fibre Channel appid '%s'", appid);
	return 0;
}
