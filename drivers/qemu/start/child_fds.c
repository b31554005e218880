/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors of a child get their numbers. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <unistd.h>

#include "child_fds.h"

#define FDS_MAX	   1200u
#define NUMBER_MAX 1000 /* highest descriptor number of a child; above it they are parked meanwhile */

int vm_child_fds_place(const struct vm_spawn_fd *fds, size_t n)
{
	int parked[FDS_MAX];

	if (n > FDS_MAX)
		return -1;
	for (size_t i = 0; i < n; i++) {
		parked[i] = fcntl(fds[i].from, F_DUPFD_CLOEXEC, NUMBER_MAX + 1);
		if (parked[i] < 0)
			/* A low RLIMIT_NOFILE: above the highest number that is given out. */
			parked[i] = fcntl(fds[i].from, F_DUPFD_CLOEXEC, (int)n + 16);
		if (parked[i] < 0)
			return -1;
	}
	if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (dup2(parked[i], fds[i].to) < 0)
			return -1;
	return 0;
}
