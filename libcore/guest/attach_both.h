/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A change of a running guest and of its definition at once, that survives whoever makes it: the definition that is to be
 * waits in the guest's runtime directory, beside the one that was, until it is stored.  Whoever finds it there after a
 * command was killed looks at what the running guest has become, and stores it or forgets it.
 */
#include <stddef.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_guest;
struct vm_planner;

/* Before the running guest is changed, with the lock.  text: the definition as it will be stored. */
int vm_both_begin(const struct vm_guest *g, const char *text, size_t len, struct vm_err *err);
/* It is stored, or will not be. */
void vm_both_end(const struct vm_guest *g);
/*
 * With the lock, when what was under way with the running guest is settled: stores what waits if the running guest has all
 * host devices that it adds, and has let go, or was asked to let go, of all that it takes away.  What cannot be stored is
 * a warning.  1 = something waited.
 */
int vm_both_settle(struct vm_guest *g, const struct vm_planner *planner, struct vm_deadline deadline);
