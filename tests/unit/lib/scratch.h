/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* An empty directory for each test. */

extern char scratch_root[]; /* its path */
extern int scratch_dir;	    /* opened */

/* cmocka's fixtures. */
int scratch_make(void **state);
int scratch_remove(void **state);
/* Writes a file below it, making parents; text NULL: these alone. */
void scratch_put(const char *path, const char *text);
