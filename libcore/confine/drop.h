/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Giving up rights for good, between fork and exec.  Needs libc alone. */
#include <stdbool.h>
#include <stdint.h>

struct vm_drop {
	bool change_user; /* to these; false: stay who we are */
	uint32_t uid, gid;
	bool keep_capabilities; /* of the user namespace that was entered */
	const char *exec_label; /* of a security module, for the exec; NULL = none */
	const char *exec_file;	/* where that is written, the whole path */
};
/*
 * Limits first, then: no supplementary groups, that user and group, no capability in any set nor ever again, no new privileges
 * by exec, and a filter that refuses to make a file set-user-ID or set-group-ID, or anew as such: a guest owns its images as far as the
 * kernel is concerned, but on disk they may be root's.  0, or an errno and what failed.
 */
int vm_drop_rights(const struct vm_drop *d, const char **ret_what);
