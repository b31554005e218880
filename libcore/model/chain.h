/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The images below a disk's, where the document leaves them to the headers. */
#include <stdbool.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_domain;
/*
 * Each disk of a format that can have an image below it and whose document has no <backingStore> gets one for
 * each image there is and an empty one at the end, as assigned facts.  QEMU then opens these and no others.
 *
 * Refused: a header that does not say the format of what is below (VM_BAD_INPUT: it is never guessed), one that names
 * anything but a file (VM_UNSUPPORTED), loops, more than VM_IMAGE_CHAIN_MAX.  lenient: what cannot be read stays as it is.
 */
int vm_domain_find_chains(struct vm_domain *d, bool lenient, struct vm_deadline deadline, struct vm_err *err);
