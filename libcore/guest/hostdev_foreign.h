/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a running guest has of the host against what its document says.  A device that the hypervisor has, and that is not in the
 * document, is foreign: somebody gave it past these programs, or edited the document.  The hypervisor's list wins.
 */
#include <stdbool.h>
#include <stddef.h>

#include <vm/look.h>

#include "model/hostdev.h"

struct vm_domain;

struct vm_foreign {
	struct vm_foreign_one {
		struct vm_hostdev h; /* its alias, and its source as far as it is known; managed='no' */
		struct vm_hostdev_source source;
		char *alias, *type; /* owned; as in struct vm_look_hostdev */
		char *device;	    /* likewise; NULL = not known */
		const char *name;   /* its device, or else its alias */
		char *text;	    /* of the source; owned */
		bool node;	    /* a block node: no device that could be unplugged */
	} *v; /* owned */
	size_t n;
};
#define VM_FOREIGN_NONE ((struct vm_foreign){ 0 })
/* d: the live document; l: has VM_LOOK_HOSTDEVS. */
void vm_foreign_read(const struct vm_domain *d, const struct vm_look *l, struct vm_foreign *ret);
void vm_foreign_free(struct vm_foreign *f);
/* The one that is called so, by its alias or its device; NULL = none. */
const struct vm_foreign_one *vm_foreign_find(const struct vm_foreign *f, const char *text);
/* Has the guest let go of a device that is in its live document (vm_hostdev_next(); disk: whose it is, or NULL)? */
bool vm_look_lost(const struct vm_look *l, const struct vm_hostdev *h, const struct vm_disk *disk);
