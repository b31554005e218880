/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Children of a test: none outlives it, whatever fails. */
#include <stdbool.h>
#include <sys/types.h>

/* fork() of a child that dies with its parent, and after two minutes at the latest. */
pid_t child_fork(void);
/* Waits until a process sleeps, such as one that waits for what the caller is about to do. */
void child_await_sleep(pid_t pid);
/* Called where a fixture tears down: an assertion that fails in a child ends the child there, with status 99,
 * and leaves what belongs to the parent alone. */
void child_end_here(const char *why);
