/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Ids of guests: one from a range for each guest, used as user and as group, kept until the guest is undefined.
 *
 * An id is taken by making a symbolic link of its number in one directory (EEXIST: it is somebody else's), whose
 * target says whose it is: "DRIVER/NAME/UUID".  A second link, "uid" in the guest's own directory, is made before
 * it and leads from the guest to the number: killed in between, it names an id that is not the guest's, which
 * counts for nothing.  Whoever holds a guest's lock may take and give back the ids of that name.
 */
#include <stdbool.h>
#include <stdint.h>

#include <vm/err.h>

#define VM_UID_OWNER_MAX 512u /* bytes of "DRIVER/NAME/UUID", its end included */
#define VM_UID_LINK	 "uid"

struct vm_uid_pool {
	int dir; /* of the links by number */
	int etc; /* where passwd, group, subuid and subgid are; -1 = do not look */
	uint32_t first, count;
};
/*
 * The id of that guest; own: its own directory.  0 = *ret, 1 = it has none.  An id from before the range was
 * changed is as good as one of it.
 */
int vm_uid_find(int dir, int own, const char *owner, uint32_t *ret);
/*
 * Finds or takes one.  An id that the host's passwd or group file names is left out.  VM_BAD_INPUT: the range overlaps
 * one of /etc/subuid or /etc/subgid, which belongs to an ordinary user's containers.  VM_IN_USE: all are taken.
 */
int vm_uid_take(const struct vm_uid_pool *pool, int own, const char *owner, uint32_t *ret,
		struct vm_err *err);
/* Gives back the id that the guest's own link names, if it is that of prefix ("DRIVER/NAME/"), and the link.
 * 1 = there was one, 0 = none.  Needs no room on the disk. */
int vm_uid_drop(int dir, int own, const char *prefix, struct vm_err *err);
/* Reads a link by number; false: none of ours. */
bool vm_uid_owner(int dir, const char *number, uint32_t *ret, char owner[VM_UID_OWNER_MAX]);
/* Whose range in /etc/subuid or /etc/subgid overlaps ("alice in subuid"), owned; NULL = nobody's. */
char *vm_uid_overlap(int etc, uint32_t first, uint32_t count);
