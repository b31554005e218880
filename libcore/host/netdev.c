/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "netdev.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/file.h>

#define NETDEV_MAX (4u << 20) /* bytes: some ten thousand interfaces */

bool vm_netdev_parse(const char *text, const char *name, struct vm_netdev *ret)
{
	struct vm_netdev d;
	size_t len = strlen(name);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += strspn(line, " \n");
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		if (sscanf(line + len + 1,
			   "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			   " %*s %*s %*s %*s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
			   &d.rx_bytes, &d.rx_packets, &d.rx_errors, &d.rx_dropped, &d.tx_bytes,
			   &d.tx_packets, &d.tx_errors, &d.tx_dropped) != 8)
			return false;
		*ret = d;
		return true;
	}
	return false;
}

bool vm_netdev_read(const char *name, struct vm_netdev *ret)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FD int fd = open("/proc/net/dev", O_RDONLY | O_CLOEXEC);
	struct vm_err ignored = VM_ERR_INIT;

	return fd >= 0 && vm_fd_read(fd, "net/dev", NETDEV_MAX, &text, NULL, &ignored) == 0 &&
	       vm_netdev_parse(text, name, ret);
}
