/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Not inline: hundreds of scopes end with these. */
#include <vm/cleanup.h>

void vm_cleanup_free(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

void vm_cleanup_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}
