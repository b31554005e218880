/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

typedef void procs_visit(void *context, long pid, const char *name);

/*
 * Visits every process that has to do with directory by its environment, arguments, working directory, root or
 * an open file; never the caller and its ancestors. The number of processes; -1 with errno set.
 */
int procs_scan(const char *directory, procs_visit *visit, void *context);
