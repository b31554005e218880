/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Finds guests' control groups by their names, without the library. */

/* Calls fn for the group of every guest of the system connection below root ($VM_ROOT), in every hierarchy; guest: its
 * name, as the group has it.  Deeper ones come first.  Returns how many, -1 with errno. */
int groups_scan(const char *root, void (*fn)(void *context, const char *path, const char *guest),
		void *context);
/* What the guests below root have in the names of their groups and taps: "r" and 8 hexadecimal digits. */
void groups_tag(const char *root, char ret[10]);
/* Removes the group and those below it, if nothing is in them. */
void groups_remove(const char *path);
